"""What views do beyond the seed documents."""

from __future__ import annotations

import concurrent.futures
import itertools
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gates import wait_for
from home import eventually

import paraply
from paraply import Reference
from paraply.error import CompositeError, RemoteError
from paraply.util import interactive


@interactive
def square(x: int) -> int:
    return x * x


def test_direct_map(dview: Any) -> None:
    result = dview.map(square, range(10))
    assert isinstance(result, paraply.AsyncMapResult)
    assert result.get() == [x * x for x in range(10)]
    assert len(result.msg_ids) == 4
    assert list(result) == [x * x for x in range(10)]
    assert dview.map_sync(lambda x, y: x + y, [1, 2, 3], [10, 20]) == [11, 22]
    assert dview.map_sync(square, (x for x in (1, 2))) == [1, 4]
    assert len(dview.map(square, [1, 2]).msg_ids) == 2
    assert dview.map_sync(square, []) == []
    assert dview.map_sync(float, np.arange(5)) == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert list(dview.imap(square, [1, 2, 3])) == [1, 4, 9]


def test_balanced_map_with_chunks(lview: Any) -> None:
    result = lview.map(square, range(10), chunksize=4)
    assert result.get() == [x * x for x in range(10)]
    assert len(result.msg_ids) == 3
    with pytest.raises(ValueError, match="chunksize is 1 or more"):
        lview.map(square, range(3), chunksize=0)


def test_map_of_references(dview: Any) -> None:
    dview.scatter("rank", range(4), flatten=True)
    dview.execute("def triple(x): return 3 * x")
    assert dview.map_sync(Reference("triple"), [1, 2, 3, 4, 5]) == [3, 6, 9, 12, 15]
    assert dview.map_sync(square, [Reference("rank")] * 4) == [0, 1, 4, 9]
    assert dview.apply_sync(Reference("triple"), Reference("rank")) == [0, 3, 6, 9]


def test_unordered_iteration(lview: Any) -> None:
    result = lview.map(lambda s: (__import__("time").sleep(s), s)[1], [0.5, 0.0, 0.0], ordered=False)
    assert next(iter(result)) == 0.0
    assert result.get() == [0.5, 0.0, 0.0]


def test_lazy_map_over_an_endless_sequence(lview: Any) -> None:
    taken: list[int] = []

    def counted() -> Any:
        for number in itertools.count():
            taken.append(number)
            yield number

    results = lview.imap(square, counted(), max_outstanding=3)
    assert [next(results) for _ in range(10)] == [x * x for x in range(10)]
    results.cancel()
    assert len(taken) < 20
    assert sorted(lview.imap(square, range(10), ordered=False)) == [x * x for x in range(10)]
    assert list(lview.imap(square, [])) == []


def test_lazy_map_raises_what_its_input_and_its_tasks_raise(lview: Any) -> None:
    def broken() -> Any:
        yield 1
        raise RuntimeError("input")

    results = lview.imap(square, broken())
    assert next(results) == 1
    with pytest.raises(RuntimeError, match="input"):
        next(results)
    results = lview.imap(lambda x: 1 // x, [1, 0, -1])
    assert next(results) == 1
    with pytest.raises(RemoteError, match="ZeroDivisionError"):
        next(results)
    assert next(results) == -1
    got = list(lview.imap(lambda x: 1 // x, [1, 0], return_exceptions=True))
    assert isinstance(got[1], RemoteError)


def test_helpers_travel_and_an_edited_one_is_used(rc: paraply.Client) -> None:
    code = """
def helper(x): return [inner(y) for y in range(x)]
def inner(y): return y + OFFSET
def task(x): return helper(x)
"""
    main: dict[str, Any] = {"__name__": "__main__"}
    exec(code, main)
    rc[:]["OFFSET"] = 10
    assert rc[:].apply_sync(main["task"], 2) == [[10, 11]] * 4
    exec("def inner(y): return -y", main)
    assert rc[:].apply_sync(main["task"], 2) == [[0, -1]] * 4
    assert rc.load_balanced_view().map_sync(main["task"], [1, 2]) == [[0], [0, -1]]
    with pytest.raises(RemoteError):
        rc[0]["helper"]


def test_no_state_passes_between_tasks_but_through_the_namespace(rc: paraply.Client) -> None:
    def task(x: int, seen: list[int] = []) -> list[int]:  # noqa: B006
        seen.append(x)
        return seen

    assert [rc[0].apply_sync(task, x) for x in range(3)] == [[0], [1], [2]]


def test_calls_to_one_engine_run_in_order(rc: paraply.Client) -> None:
    view = rc[:]
    view["log"] = []
    for number in range(50):
        view.execute(f"log.append({number})")
        view["latest"] = number
        view.apply(interactive(lambda n: log.append(n)), -number)  # type: ignore[name-defined]  # noqa: F821
    assert view["log"] == [[x for n in range(50) for x in (n, -n)]] * 4


def test_flags(rc: paraply.Client) -> None:
    view = rc[:]
    assert view.set_flags(block=True, label="x") is view
    with view.temp_flags(block=False, targets=[1]):
        assert (view.block, view.targets) == (False, [1])
    with pytest.raises(ZeroDivisionError), view.temp_flags(block=False):
        1 / 0  # noqa: B018
    assert (view.block, view.targets, view.label) == (True, [0, 1, 2, 3], "x")
    result = view.apply_async(len, "abc")
    assert result.label == ["x"] * 4


def test_history_and_outstanding(rc: paraply.Client) -> None:
    view, other = rc[:], rc[:]
    first = view.apply_async(len, "abc")
    other.apply_sync(len, "abc")
    sleeping = view.apply_async(time.sleep, 1)
    assert view.history == first.msg_ids + sleeping.msg_ids
    assert view.outstanding == set(sleeping.msg_ids)
    assert view.wait(timeout=0.01) is False
    assert view.wait() is True
    assert view.outstanding == set()
    assert len(rc.history) == 4 * 4  # with the call that emptied the namespaces


def test_get_result_by_index(rc: paraply.Client) -> None:
    view = rc[0]
    kept = [view.apply_async(len, "a"), view.apply_async(len, "ab")]
    assert view.get_result().get() == 2
    assert view.get_result(0).get() == 1
    assert view.get_result([0, 1]).get() == [1, 2]
    assert view.get_result(kept[0].msg_ids[0], block=True) == 1


def test_all_is_asked_for_at_each_call(rc: paraply.Client) -> None:
    view = rc.direct_view("all")
    assert view.apply_sync(len, "abc") == [3] * 4
    assert len(view) == 4


def test_broadcast_view(rc: paraply.Client) -> None:
    view = rc.broadcast_view()
    view.block = True
    assert view.targets == [0, 1, 2, 3]
    assert view.apply(len, "abc") == [3] * 4
    view["a"] = 1
    assert view["a"] == [1] * 4
    assert view.map(square, [1, 2, 3]) == [1, 4, 9]


def test_executor(rc: paraply.Client) -> None:
    with rc.load_balanced_view().executor as pool:
        futures = [pool.submit(square, x) for x in range(5)]
        assert {each.result() for each in concurrent.futures.as_completed(futures)} == {0, 1, 4, 9, 16}
        assert [each.result(timeout=10) for each in futures] == [0, 1, 4, 9, 16]
        assert list(pool.map(square, range(5))) == [0, 1, 4, 9, 16]
        failed = pool.submit(square, "x")
        assert isinstance(failed.exception(timeout=10), RemoteError)
        with pytest.raises(TypeError, match="chunksize"):
            pool.map(square, range(5), chunksize=2)
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(square, 1)


def test_remote_function_follows_its_view(rc: paraply.Client) -> None:
    view = rc[:]
    function = paraply.remote(view)(square)
    assert isinstance(function(2), paraply.AsyncResult)
    view.block = True
    assert function(2) == [4] * 4
    captured = view.remote()(square)
    view.block = False
    assert captured(2) == [4] * 4
    captured.block = False
    assert isinstance(captured(2), paraply.AsyncResult)
    assert paraply.remote(view, block=True, targets=1)(square)(3) == 9


def test_parallel_function_on_a_balanced_view(lview: Any) -> None:
    summed = lview.parallel(block=True, chunksize=3)(interactive(lambda xs: sum(xs)))
    assert summed(range(7)) == [0 + 1 + 2, 3 + 4, 5 + 6]
    doubled = paraply.parallel(lview, block=True)(square)
    assert doubled.map([1, 2, 3]) == [1, 4, 9]


def test_chunksize_on_a_direct_view_is_ignored(dview: Any) -> None:
    function = paraply.ParallelFunction(dview, square, block=True, chunksize=2)
    with pytest.warns(UserWarning, match="chunksize is ignored"):
        assert function.map(range(3)) == [0, 1, 4]


def test_retries_on_another_engine(rc: paraply.Client) -> None:
    view = rc.load_balanced_view()
    bad = rc[0].apply_sync(os.getpid)

    def picky(bad: int) -> int:
        import os

        if os.getpid() == bad:
            raise RuntimeError("not here")
        return os.getpid()

    with view.temp_flags(retries=3):
        assert bad not in view.map_sync(picky, [bad] * 20)
    only = rc.load_balanced_view(targets=[0], retries=1)
    with pytest.raises(RemoteError, match="not here"):
        only.apply_sync(picky, bad)


def test_timeout_of_waiting(rc: paraply.Client) -> None:
    blocker = rc[0].apply_async(time.sleep, 1)
    view = rc.load_balanced_view(targets=[0], timeout=0.1)
    waiting = [view.apply_async(time.sleep, 0.05) for _ in range(4)]
    with pytest.raises(paraply.TaskTimeout):
        waiting[-1].get(timeout=10)
    blocker.get()


def test_clear_and_dotted_names(dview: Any) -> None:
    dview.push({"table": {}, "table['k']": 5}, block=True)
    assert dview.pull("table['k']", block=True) == [5] * 4
    dview.clear(block=True)
    with pytest.raises(CompositeError, match="NameError"):
        dview["table"]


def test_targets_of_a_call(rc: paraply.Client) -> None:
    view = rc[:]
    view.push({"a": 1}, targets=[0, 2], block=True)
    view.push({"a": 2}, targets=1, block=True)
    assert view.pull("a", targets=slice(0, 3), block=True) == [1, 2, 1]
    assert view.pull("a", targets=-3, block=True) == 2
    view.execute("a += 1", targets=0, block=True)
    assert rc[0]["a"] == 2


def test_objects_travel_both_ways(rc: paraply.Client) -> None:
    value = {"array": np.arange(100000), "text": "x" * 100000, "bytes": bytes(200000), "nested": [1, (2, {3})]}
    back = rc[0].apply_sync(interactive(lambda v: v), value)
    np.testing.assert_array_equal(back.pop("array"), value.pop("array"))  # type: ignore[arg-type]
    assert back == value
    frame = rc[0].apply_sync(interactive(lambda: (x for x in ()).__class__))
    assert frame.__name__ == "generator"


def test_balanced_tasks_do_not_wait_behind_a_long_direct_one(rc: Any, lview: Any, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    long = rc[0].apply_async(wait_for, str(gate))
    eventually(long.running, "it runs")
    try:
        # More than the other engines take at first.
        assert lview.map_async(abs, range(-100, 0)).get(timeout=30) == list(range(100, 0, -1))
        assert not long.ready()
    finally:
        gate.touch()
    long.get(timeout=30)
