"""Views whose calls are portable: what every language reads, both ways."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

import paraply
from paraply.error import NotPortableError, RemoteError


def told(*args: Any, **kwargs: Any) -> Any:
    return [args, kwargs]


def test_every_way_of_calling(rc: paraply.Client) -> None:
    lview = rc.load_balanced_view(portable=True)
    view = rc.direct_view("all", portable=True)
    now = datetime(2024, 5, 1, tzinfo=UTC)
    assert lview.apply_sync(told, (1, 2), when=now) == [[[1, 2]], {"when": now}]
    assert lview.apply_sync(told) == [[], {}]
    assert view.apply_sync(told, a=1) == [[[], {"a": 1}]] * 4
    # A tuple that comes back as a list came as MessagePack.
    pairs = [[n, n] for n in range(10)]
    assert lview.map_sync(lambda n: (n, n), range(10)) == pairs
    assert lview.map_sync(lambda n: (n, n), range(10), chunksize=3) == pairs
    assert view.map_sync(lambda n: (n, n), range(10)) == pairs
    assert list(lview.imap(lambda n: (n, n), range(10))) == pairs
    assert view.parallel(block=True)(list)(range(10)) == list(range(10))
    assert lview.executor.submit(told, 1).result() == [[1], {}]


def test_data_too(rc: paraply.Client) -> None:
    view = rc.direct_view("all", portable=True)
    view.push({"a": (1, 2)}, block=True)
    assert view.pull("a", block=True) == [[1, 2]] * 4
    view.scatter("part", range(8), block=True)
    assert view.pull("part", block=True) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert view.gather("part", block=True) == list(range(8))
    array = np.arange(300_000.0).reshape(100, -1)
    view.scatter("rows", array, block=True)
    assert np.array_equal(view.gather("rows", block=True), array)


def test_it_is_a_flag_like_the_others(rc: paraply.Client) -> None:
    view = rc[0]
    assert view.apply_sync(told, {1}) == [({1},), {}]
    with view.temp_flags(portable=True):
        assert view.apply_sync(told, 1) == [[1], {}]
        lazy = rc.load_balanced_view().set_flags(portable=True).imap(told, [1])
    assert next(lazy) == [[1], {}]
    assert view.apply_sync(told, 1) == [(1,), {}]
    assert view.remote(block=True, portable=True)(told)(1) == [[1], {}]
    view.portable = True
    with pytest.raises(NotPortableError, match=r"^args\[1\]\['a'\]: a set has no portable form"):
        view.apply(told, 0, {"a": {1}})
    with pytest.raises(NotPortableError, match=r"^args\[0\]\[0\]: a set has no portable form"):
        view.map(told, [{1}])
    assert view.apply_sync(told, 1) == [[1], {}], "nothing of these calls was sent"


def test_a_result_without_a_portable_form_is_an_error_that_names_the_function(rc: paraply.Client) -> None:
    view = rc.load_balanced_view(portable=True)

    def unordered() -> Any:
        return {1, 2}

    result = view.apply(unordered)
    for _ in range(2):
        with pytest.raises(NotPortableError, match="the result of 'unordered' came pickled"):
            result.get(30)
    with pytest.raises(NotPortableError):
        view.map(lambda n: {n}, [1]).get(30)
    # A call that fails has its own error, whatever its class.
    with pytest.raises(RemoteError, match="ZeroDivisionError"):
        view.apply_sync(lambda: 1 / 0)
