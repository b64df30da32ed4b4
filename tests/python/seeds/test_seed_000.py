"""Section 1.1 of the checklist, one test a row: "IPython parallel Computing"."""

from __future__ import annotations

import importlib
import math
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import paraply


def pids(view: Any) -> list[int]:
    import os

    found: list[int] = view.apply_sync(os.getpid)
    return found


def test_s0_01_import() -> None:
    parallel = importlib.import_module("paraply")
    assert parallel.Client is paraply.Client


def test_s0_02_client_of_the_default_cluster(cluster: Any) -> None:
    with paraply.Client() as clients:
        assert clients.wait_for_engines(4, timeout=30) is None
        assert clients.ids == [0, 1, 2, 3]


def test_s0_02_client_without_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAPLY_HOME", str(tmp_path))
    with pytest.raises(OSError, match=r"paraply start"):
        paraply.Client(timeout=0)


def test_s0_03_direct_view(rc: paraply.Client) -> None:
    dview = rc.direct_view()
    assert dview.targets == "all"
    assert len(dview) == 4


def test_s0_04_load_balanced_view(rc: paraply.Client) -> None:
    assert rc.load_balanced_view().targets is None


def test_s0_05_block_is_a_flag(dview: Any) -> None:
    assert dview.block is False
    dview.block = True
    assert dview.apply(len, "abc") == [3] * 4


def test_s0_06_apply_that_blocks(dview: Any) -> None:
    dview.block = True

    def some_function() -> int:
        return 7

    assert dview.apply(some_function) == [7, 7, 7, 7]


def test_s0_07_apply_sync_ignores_block(dview: Any) -> None:
    dview.block = False
    assert len(set(pids(dview))) == 4


def test_s0_08_apply_that_does_not_block_returns_at_once(dview: Any) -> None:
    dview.block = False
    result = dview.apply(time.sleep, 1)
    assert not result.ready()
    result.get()


def test_s0_09_apply_gives_an_async_result(dview: Any) -> None:
    assert isinstance(dview.apply(len, "abc"), paraply.AsyncResult)


def test_s0_10_apply_async_ignores_block(dview: Any) -> None:
    dview.block = True
    assert isinstance(dview.apply_async(len, "abc"), paraply.AsyncResult)


def test_s0_11_repr(dview: Any) -> None:
    def some_function(seconds: float) -> None:
        import time

        time.sleep(seconds)

    result = dview.apply(some_function, 1)
    assert repr(result) == "<AsyncResult(some_function): pending>"
    result.get()
    assert repr(result) == "<AsyncResult(some_function): finished>"
    failed = dview.apply(some_function, "x")
    failed.wait()
    assert repr(failed) == "<AsyncResult(some_function): failed>"


def test_s0_12_get(dview: Any) -> None:
    assert dview.apply_async(len, "abc").get() == [3] * 4
    with pytest.raises(paraply.CompositeError, match=r"one or more exceptions raised in: len\n\[0:apply\]TypeError"):
        dview.apply_async(len, 3).get()


def test_s0_13_ready_never_raises(dview: Any) -> None:
    result = dview.apply_async(len, 3)
    result.wait()
    assert result.ready() is True


def test_s0_14_import_inside_the_function(dview: Any) -> None:
    def norm() -> float:
        import numpy

        return float(numpy.linalg.norm([3, 4]))

    assert dview.apply_sync(norm) == [5.0] * 4


def test_s0_15_execute_binds_in_the_namespace(dview: Any) -> None:
    for dview.block in (True, False):
        assert isinstance(dview.execute("import numpy"), paraply.AsyncResult)
    assert dview["numpy.__name__"] == ["numpy"] * 4


def test_s0_16_sync_imports(dview: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with dview.sync_imports():
        import colorsys
        from fractions import Fraction
    assert capsys.readouterr().out.splitlines() == [
        "importing colorsys on engine(s)",
        "importing Fraction from fractions on engine(s)",
    ]
    assert colorsys.__name__ == "colorsys"
    assert Fraction(1, 2) == 0.5
    assert dview["colorsys.__name__"] == ["colorsys"] * 4
    assert dview["float(Fraction(1, 2))"] == [0.5] * 4


def test_s0_16_sync_imports_of_what_engines_lack(dview: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "only_at_the_client.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(paraply.RemoteError, match="ModuleNotFoundError"), dview.sync_imports(quiet=True):
        import only_at_the_client  # noqa: F401


def test_s0_18_run_reads_the_script_here(dview: Any, tmp_path: Path) -> None:
    script = tmp_path / "myscript.py"
    script.write_text("value = 6\ndef double(x): return 2 * x\nvalue = double(value)")
    result = dview.run(script)
    assert isinstance(result, paraply.AsyncResult)
    script.unlink()
    assert dview["value"] == [12] * 4
    assert dview["double(2)"] == [4] * 4


def test_s0_19_a_view_is_a_dictionary(dview: Any) -> None:
    dview["a"] = 1
    assert dview["a"] == [1] * 4


def test_s0_20_execute_uses_the_namespace(dview: Any) -> None:
    dview.push({"a": 1, "b": 2})
    dview.execute("c=a+b")
    assert dview["c"] == [3] * 4


def test_s0_21_scatter(dview: Any) -> None:
    assert dview.scatter("a", np.arange(24), block=True) is None
    assert isinstance(dview.scatter("a", np.arange(24), block=False), paraply.AsyncResult)
    assert [list(part) for part in dview["a"]] == [list(range(n, n + 6)) for n in (0, 6, 12, 18)]


def test_s0_22_gather(dview: Any) -> None:
    dview.scatter("a", np.arange(22))
    result = dview.gather("a")
    assert isinstance(result, paraply.AsyncMapResult)
    whole = result.get()
    assert isinstance(whole, np.ndarray)
    np.testing.assert_array_equal(whole, np.arange(22))
    np.testing.assert_array_equal(dview.gather("a", block=True), np.arange(22))


def test_s0_23_balanced_view_blocks(lview: Any) -> None:
    lview.block = True
    assert lview.apply(len, "abc") == 3


def test_s0_24_balanced_apply_has_one_result(rc: paraply.Client) -> None:
    lview = rc.load_balanced_view(targets=[1, 2])
    lview.block = True
    assert lview.apply(lambda x: x + 1, 4) == 5


def test_s0_25_balanced_view_that_does_not_block(lview: Any) -> None:
    result = lview.apply(len, "abc")
    assert isinstance(result, paraply.AsyncResult)
    assert result.get() == 3


def test_s0_26_balanced_map_is_a_task_an_item(lview: Any) -> None:
    result = lview.map(lambda x: x * x, [1, 2, 3, 4, 5])
    assert isinstance(result, paraply.AsyncMapResult)
    assert result.get() == [1, 4, 9, 16, 25]
    assert len(result.msg_ids) == 5
    empty = lview.map(abs, [])
    assert empty == []
    assert list(empty) == []
    assert empty.get() == []
    assert lview.map_sync(abs, []) == []


def test_s0_27_progress_counts_items(dview: Any, lview: Any) -> None:
    for result in (lview.map(abs, range(10)), dview.map(abs, range(10)), lview.map(abs, range(10), chunksize=4)):
        result.wait()
        assert result.progress == 10
        assert len(result) == 10


def test_s0_28_result_is_a_method_and_r_a_property(lview: Any) -> None:
    result = lview.map(abs, [-1, 2])
    assert result.result() == [1, 2]
    assert result.r == [1, 2]


def test_s0_29_iteration_streams(lview: Any) -> None:
    def sleep_and_return(seconds: float) -> float:
        import time

        time.sleep(seconds)
        return seconds

    mapped = lview.map(sleep_and_return, [0.01, 0.02, 1.5])
    results = iter(mapped)
    assert [next(results), next(results)] == [0.01, 0.02]
    assert not mapped.ready()
    assert list(results) == [1.5]


def test_s0_30_number_of_engines(rc: paraply.Client) -> None:
    assert len(rc[:].targets) == len(rc[:]) == len(rc.direct_view()) == 4


def test_s0_31_and_32_monte_carlo(dview: Any) -> None:
    def mcpi(nsamples: int) -> float:
        from random import random

        inside = sum(random() ** 2 + random() ** 2 <= 1 for _ in range(nsamples))
        return 4.0 * inside / nsamples

    result = dview.apply_async(mcpi, 20000)
    estimates = list(result)
    assert len(set(estimates)) > 1, "every engine drew the same numbers"
    assert abs(sum(result) / len(dview) - math.pi) < 0.1


def test_s0_32_iteration_is_in_target_order(rc: paraply.Client) -> None:
    def slow_first(ident: int) -> int:
        import time

        time.sleep(0.3 if ident == 0 else 0)
        return ident

    rc[:].scatter("ident", [0, 1, 2, 3], flatten=True)
    assert list(rc[:].apply_async(slow_first, paraply.Reference("ident"))) == [0, 1, 2, 3]


def test_views_may_be_used_by_several_threads(dview: Any, lview: Any) -> None:
    found: list[Any] = []

    def work() -> None:
        for _ in range(20):
            found.append(dview.apply_sync(len, "abc") + lview.map_sync(abs, [-1, -2]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[3, 3, 3, 3, 1, 2]] * 80
