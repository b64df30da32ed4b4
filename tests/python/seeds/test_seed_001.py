"""Section 1.2 of the checklist, one test a row: "Going parallel with IPython: the basics"."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import paraply
from paraply.util import interactive


def make_longrun() -> Any:
    def longrun(n: int) -> int:
        from random import randint

        return sum(randint(1, 100) for _ in range(n))

    return longrun


longrun = make_longrun()


def test_s1_03_and_04_client(cluster: Any) -> None:
    with paraply.Client() as rc:
        assert rc.wait_for_engines(4, timeout=30) is None


def test_s1_05_ids_is_a_sorted_fresh_copy(rc: paraply.Client) -> None:
    ids = rc.ids
    assert ids == [0, 1, 2, 3]
    ids.clear()
    assert rc.ids == [0, 1, 2, 3]


def test_s1_06_and_07_one_engine(rc: paraply.Client) -> None:
    assert 100 * 35 < rc[2].apply_sync(longrun, 100) < 100 * 66


def test_s1_08_single_engine_gives_a_scalar(rc: paraply.Client) -> None:
    pid = rc[0].apply_sync(os.getpid)
    assert isinstance(pid, int)
    assert pid != os.getpid()
    assert rc[[0]].apply_sync(os.getpid) == [pid]
    assert rc[0:1].apply_sync(os.getpid) == [pid]


def test_s1_09_builtin_by_reference(rc: paraply.Client) -> None:
    pids = rc[:].apply_sync(os.getpid)
    assert len(set(pids)) == 4
    assert pids == [rc[engine].apply_sync(os.getpid) for engine in rc.ids]


def test_s1_10_all_engines(rc: paraply.Client) -> None:
    assert len(rc[:].apply_sync(longrun, 100)) == 4


def test_s1_11_slices(rc: paraply.Client) -> None:
    assert len(rc[1:3]) == 2
    assert rc[1:3].targets == [1, 2]


def test_s1_12_type_of_a_direct_view(rc: paraply.Client) -> None:
    assert str(type(rc[:])) == "<class 'paraply.client.view.DirectView'>"


def test_s1_13_function_sent_by_code(rc: paraply.Client) -> None:
    sums = rc[:].apply_sync(longrun, 1000)
    assert len(sums) == 4
    assert all(isinstance(each, int) for each in sums)


def test_s1_14_the_function_is_still_a_local_one(rc: paraply.Client) -> None:
    rc[:].apply_sync(longrun, 10)
    assert len(list(map(longrun, [10, 5]))) == 2


def test_s1_15_and_16_balanced_map(rc: paraply.Client) -> None:
    view = rc.load_balanced_view()
    assert view.map_sync(lambda n: n + 1, [1000, 500, 1000, 200, 400, 800]) == [1001, 501, 1001, 201, 401, 801]


def test_s1_17_type_of_a_balanced_view(rc: paraply.Client) -> None:
    assert str(type(rc.load_balanced_view())) == "<class 'paraply.client.view.LoadBalancedView'>"


def test_s1_19_and_20_parallel_function(rc: paraply.Client) -> None:
    v = rc[:]

    @v.parallel(
        block=True,
    )
    def longrunparallel(x: Any) -> int:
        return len(x)

    assert isinstance(longrunparallel, paraply.ParallelFunction)
    ret = longrunparallel(range(102))
    assert ret == [26, 26, 25, 25]
    assert longrunparallel(range(3)) == [1, 1, 1]
    with pytest.raises(ValueError, match=r"all sequences must have equal length, but have \[2, 1\]"):
        longrunparallel([1, 2], [1])
    with pytest.raises(TypeError, match="Unexpected keyword arguments"):
        longrunparallel([1, 2], x=1)


def test_s1_20_parallel_function_that_maps(rc: paraply.Client) -> None:
    @rc[:].parallel(block=True)
    def double(x: int) -> int:
        return 2 * x

    assert double.map(range(10)) == [2 * x for x in range(10)]
    assert double(list(range(4))) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_s1_21_to_24_engines_are_dictionaries(rc: paraply.Client) -> None:
    rc[1]["myVarIn1"] = "I am in 1"
    with pytest.raises(NameError):
        myVarIn1  # type: ignore[name-defined]  # noqa: B018, F821
    assert rc[1]["myVarIn1"] == "I am in 1"
    with pytest.raises(paraply.RemoteError) as caught:
        rc[0]["myVarIn1"]
    assert str(caught.value) == "[0:apply] NameError: name 'myVarIn1' is not defined"
    assert repr(caught.value) == "<RemoteError[0]:NameError(name 'myVarIn1' is not defined)>"


def test_s1_25_reference(rc: paraply.Client) -> None:
    rc[:].scatter("x", [10, 20, 30, 40], flatten=True)
    assert rc[:].apply_sync(lambda x: x + 1, paraply.Reference("x")) == [11, 21, 31, 41]
    assert rc[:].apply_sync(sum, [paraply.Reference("x"), 1]) == [11, 21, 31, 41]


def test_s1_27_and_31_function_uses_the_engines_globals(rc: paraply.Client) -> None:
    rc[:].execute("import numpy as np")
    a = np.random.default_rng(1).normal(size=200000)
    rc[:].scatter("a", a)

    @interactive
    def costly_operation() -> Any:
        array = np.copy(remote_a)  # type: ignore[name-defined]  # noqa: F821
        return array * array

    rc[:].execute("remote_a = a")
    squares = rc[:].apply_sync(costly_operation)
    np.testing.assert_array_equal(np.concatenate(squares), a * a)


def test_s1_27_global_writes_reach_the_namespace(rc: paraply.Client) -> None:
    @interactive
    def write() -> None:
        global written
        written = 5  # type: ignore[name-defined]

    rc[:].apply_sync(write)
    assert rc[:]["written"] == [5] * 4


def test_s1_27_missing_data_is_explained(rc: paraply.Client) -> None:
    with pytest.raises(paraply.RemoteError) as caught:
        rc[2].apply_sync(interactive(lambda: absent))  # type: ignore[name-defined]  # noqa: F821
    assert caught.value.ename == "NameError"
    assert "on engine 2" in caught.value.evalue
    assert "view.push({'absent': absent})" in caught.value.evalue


def test_s1_28_repr(rc: paraply.Client) -> None:
    assert str(rc[:]) == "<DirectView [0, 1, 2, 3]>"
    view = rc[:]
    view.targets = list(range(20))
    assert str(view) == "<DirectView [0, 1, 2, 3,...]>"


def test_s1_29_and_30_scatter_then_pull(rc: paraply.Client) -> None:
    a = np.arange(200000.0)
    view = rc[:]
    view.scatter("a", a)
    parts = view["a"]
    assert [len(part) for part in parts] == [50000] * 4
    np.testing.assert_array_equal(np.concatenate(parts), a)


def test_s1_32_arrays_arrive_writable_at_both_ends(rc: paraply.Client) -> None:
    def double_in_place(array: Any) -> Any:
        array *= 2
        return array

    for size in (10, 5000, 50000):
        for result in rc[:].apply_sync(double_in_place, np.ones(size)):
            result += 1
            assert result.sum() == 3 * size


def test_s1_33_block_of_one_view_is_its_own(rc: paraply.Client) -> None:
    view, other = rc[:], rc[:]
    view.block = True
    assert view.apply(len, "abc") == [3] * 4
    assert isinstance(other.apply(len, "abc"), paraply.AsyncResult)


def test_s1_34_gather_that_blocks(rc: paraply.Client) -> None:
    view = rc[:]
    a = np.arange(200000.0)
    view.scatter("a", a)
    view.block = True
    b = view.gather("a")
    np.testing.assert_array_equal(a, b)


def test_s1_37_to_40_files(rc: paraply.Client, tmp_path: Path) -> None:
    files = [str(tmp_path / f"{name}.gz") for name in "klmn"]
    counts = [422, 4810, 1951, 3127]
    for name, count in zip(files, counts, strict=True):
        with gzip.open(name, "wb") as stream:
            stream.write(b"line\n" * count)
    rc[:].execute("import gzip as zipper")

    @rc[:].parallel(
        block=False,
    )
    @interactive
    def countngrams(filename: list[str]) -> int:
        with zipper.open(filename[0], "r") as file:  # type: ignore[name-defined]  # noqa: F821
            return sum(1 for _ in file)

    res = countngrams(files)
    assert isinstance(res, paraply.AsyncMapResult)
    while not res.ready():
        time.sleep(0.01)
    assert res.result() == counts


def test_s1_41_engines_work_where_the_cluster_was_started(rc: paraply.Client) -> None:
    assert rc[:].apply_sync(os.getcwd) == [os.getcwd()] * 4


def test_s1_42_decorators(rc: paraply.Client) -> None:
    @paraply.remote(rc[:], block=True)
    def add(x: int, y: int = 1) -> int:
        """Adds."""
        return x + y

    assert add(1) == [2] * 4
    assert add(1, y=5) == [6] * 4
    assert add.__name__ == "add"
    assert add.__doc__ == "RemoteFunction wrapping:\nAdds."
    assert isinstance(add, paraply.RemoteFunction)

    @rc[:].remote()
    def later() -> int:
        return 1

    assert isinstance(later(), paraply.AsyncResult)

    @paraply.parallel(rc.load_balanced_view(), block=True)
    def first(xs: list[int]) -> int:
        return xs[0]

    assert first([5, 6, 7]) == [5, 6, 7]
