"""How sequences are cut for the engines, and how what comes back is put together."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from mmap import mmap
from typing import Any, Protocol

__all__ = ["Chunks", "Items", "Map", "Mapper", "Parts", "bounds", "mappable", "sliceable"]


def bounds(length: int, parts: int) -> list[tuple[int, int]]:
    """Where each of `parts` contiguous partitions begins and ends: the first `length % parts` are one longer."""
    size, longer = divmod(length, parts)
    ends = [(index + 1) * size + min(index + 1, longer) for index in range(parts)]
    return list(zip([0, *ends], ends, strict=False))


def sliceable(values: Any) -> Any:
    """The values, as a list unless parts can be cut from them as they are."""
    # Dictionaries take a slice for a key, and some make one of it.
    if hasattr(values, "__len__") and hasattr(values, "__getitem__") and not isinstance(values, Mapping):
        try:
            values[:0]
        except Exception:  # noqa: BLE001  # deques, users' own: each has its way to say no
            return list(values)
        return values
    return list(values)


def mappable(value: Any) -> bool:
    """Whether partitions of this kind are joined into one sequence: lists, tuples, ranges and arrays are."""
    return isinstance(value, (list, tuple, range)) or (_is_array(value) and value.ndim > 0)


def _is_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _adjoin(arrays: list[Any]) -> bool:
    """Whether arrays of one kind lie one after the other in the same memory, so that together they are one."""
    first = arrays[0]
    end = first.ctypes.data
    for array in arrays:
        alike = type(array) is type(first) and array.dtype == first.dtype and array.shape[1:] == first.shape[1:]
        if not alike or not array.flags.c_contiguous or array.ctypes.data != end:
            return False
        end += array.nbytes
    memory = _memory(first)
    return memory is not None and all(_memory(array) is memory for array in arrays)


def _memory(array: Any) -> mmap | None:
    """The pages that a received array is in, if it has come into pages of ours."""
    while _is_array(array):
        array = array.base
    return array.obj if isinstance(array, memoryview) and isinstance(array.obj, mmap) else None


def _adjoining(arrays: list[Any]) -> Any:
    """Arrays that adjoin, as one: a view of the memory that the first keeps alive for all."""
    strides = sys.modules["numpy"].lib.stride_tricks
    return strides.as_strided(arrays[0], (sum(len(array) for array in arrays), *arrays[0].shape[1:]))


class Map:
    """Contiguous partitions."""

    @staticmethod
    def get_partition(seq: Any, p: int, q: int, n: int | None = None) -> Any:
        """Partition `p` of `q` of a sequence with `n` elements (its length unless given)."""
        if not 0 <= p < q:
            raise ValueError(f"there is no partition {p} of {q}: they are numbered from 0")
        seq = sliceable(seq)
        begin, end = bounds(len(seq) if n is None else n, q)[p]
        return seq[begin:end]

    @staticmethod
    def join_partitions(parts: Sequence[Any]) -> Any:
        """The whole: lists, tuples and ranges chained to a list, arrays concatenated, anything else left as it is."""
        parts = list(parts)
        if parts and all(_is_array(part) and part.ndim > 0 for part in parts):
            return _adjoining(parts) if _adjoin(parts) else sys.modules["numpy"].concatenate(parts)
        if parts and all(isinstance(part, (list, tuple, range)) for part in parts):
            return list(chain.from_iterable(parts))
        return parts


class Mapper(Protocol):
    """What a map's result knows about its tasks. One result a task; one or more items a result."""

    #: Items of each task where that is known beforehand.
    lengths: Sequence[int] | None

    def items(self, result: Any) -> Sequence[Any]:
        """The items of one task's result."""

    def join(self, results: list[Any]) -> Any:
        """The value of the whole, from the results of all tasks in order."""


class Items:
    """Each task is one item, as in a balanced map."""

    __slots__ = ("lengths",)

    def __init__(self, count: int) -> None:
        self.lengths: Sequence[int] | None = [1] * count

    def items(self, result: Any) -> Sequence[Any]:
        """The one item of one task."""
        return (result,)

    def join(self, results: list[Any]) -> Any:
        """All items in order."""
        return results


class Chunks:
    """Each task maps a chunk, and its result is the list of the chunk's items."""

    __slots__ = ("lengths",)

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths: Sequence[int] | None = lengths

    def items(self, result: Any) -> Sequence[Any]:
        """The items of one chunk."""
        return result  # type: ignore[no-any-return]

    def join(self, results: list[Any]) -> Any:
        """All items in order. A failed chunk is one item: its error."""
        return [item for result in results for item in (result if isinstance(result, list) else [result])]


class Parts:
    """Each task gives a part of one sequence, as in `gather` and in calls of parallel functions."""

    __slots__ = ("lengths",)

    def __init__(self) -> None:
        self.lengths: Sequence[int] | None = None

    def items(self, result: Any) -> Sequence[Any]:
        """The elements of one part; a part that is an array, or no sequence at all, is one element."""
        return result if isinstance(result, (list, tuple, range)) else (result,)

    def join(self, results: list[Any]) -> Any:
        """The parts joined to one sequence, where they can be."""
        return Map.join_partitions(results)
