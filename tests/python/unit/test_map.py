"""Partitions, and how parts are joined."""

from __future__ import annotations

import mmap
from collections import Counter, defaultdict
from itertools import count, repeat
from typing import Any

import numpy as np
import pytest

from paraply._serialize.prepared import Mapped
from paraply.client._view_direct import _shortest
from paraply.client.map import Chunks, Items, Map, Parts, bounds, sliceable


@pytest.mark.parametrize("length", range(30))
@pytest.mark.parametrize("parts", range(1, 9))
def test_partitions_are_contiguous_and_the_first_are_one_longer(length: int, parts: int) -> None:
    cuts = bounds(length, parts)
    assert [index for begin, end in cuts for index in range(begin, end)] == list(range(length))
    sizes = [end - begin for begin, end in cuts]
    assert sizes == [length // parts + 1] * (length % parts) + [length // parts] * (parts - length % parts)
    assert [Map.get_partition(range(length), index, parts) for index in range(parts)] == [range(*cut) for cut in cuts]


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([[1, 2], [3]], [1, 2, 3]),
        ([(1, 2), (3,)], [1, 2, 3]),
        ([range(2), range(2, 3)], [0, 1, 2]),
        ([26, 26, 25], [26, 26, 25]),
        (["ab", "cd"], ["ab", "cd"]),
        ([[1], 2], [[1], 2]),
        ([], []),
        ([[], []], []),
    ],
)
def test_joining(parts: list[Any], whole: Any) -> None:
    assert Map.join_partitions(parts) == whole


def test_arrays_are_concatenated() -> None:
    joined = Map.join_partitions(np.array_split(np.arange(10), 3))
    np.testing.assert_array_equal(joined, np.arange(10))
    scalars = [np.array(1), np.array(2)]
    assert Map.join_partitions(scalars) == scalars


def test_arrays_that_came_one_after_the_other_into_the_same_pages_are_joined_where_they_are() -> None:
    pages = mmap.mmap(-1, 6 * 64)
    np.frombuffer(pages, np.int64)[:] = range(48)
    cut = memoryview(pages)
    first, second, third = (np.frombuffer(cut[start : start + 128], np.int64).reshape(-1, 2) for start in (0, 128, 256))
    joined = Map.join_partitions([first, second, third])
    np.testing.assert_array_equal(joined, np.arange(48).reshape(-1, 2))
    assert np.shares_memory(joined, third)
    joined[-1, -1] = 7
    assert third[-1, -1] == 7, "it is written like any other"
    del first, second, third, cut
    with pytest.raises(BufferError):
        pages.close()
    assert joined.sum() == sum(range(47)) + 7, "it keeps all of the pages"

    apart = mmap.mmap(-1, 128)
    others = [np.frombuffer(cut, np.int64) for cut in (memoryview(pages)[:128], memoryview(apart))]
    for parts in (others, others[::-1], [others[0], others[0]], [others[0], np.frombuffer(pages, np.int32)[32:]]):
        joined = Map.join_partitions(parts)
        np.testing.assert_array_equal(joined, np.concatenate(parts))
        assert not np.shares_memory(joined, parts[0])


def test_what_tasks_give() -> None:
    assert Items(2).join([[1], [2]]) == [[1], [2]]
    failure = ValueError()
    assert Chunks([2, 1]).join([[1, 2], failure]) == [1, 2, failure]
    assert list(Parts().items([1, 2])) == [1, 2]
    assert list(Parts().items(26)) == [26]


def test_a_dictionary_is_listed_and_left_as_it_is() -> None:
    grouped = defaultdict(list, {"a": [1]})
    assert sliceable(grouped) == ["a"]
    assert sliceable(Counter("ab")) == ["a", "b"]
    assert list(grouped) == ["a"]


def test_what_may_have_no_end_is_taken_as_far_as_the_others_go() -> None:
    numbers = count()
    assert _shortest([[1, 2, 3], repeat(7), numbers]) == [[1, 2, 3], [7, 7, 7], [0, 1, 2]]
    assert next(numbers) == 3, "no further"
    assert _shortest([iter([1, 2]), count()]) == [[1, 2], [0, 1]]
    assert _shortest([iter([]), count()]) == [[], []]


def test_a_function_that_runs_out_of_something_does_not_end_its_map() -> None:
    with pytest.raises(StopIteration):
        Mapped(next)([iter([1]), iter([])])
    assert Mapped(pow)([2, 3], [2, 2, 2]) == [4, 9]
