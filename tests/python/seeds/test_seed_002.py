"""Section 1.3 of the checklist, one test a row: "Parallel Computing in Jupyter Notebook"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import paraply
from paraply.util import interactive


def lines(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line]


def test_s2_02_client_of_a_profile(cluster: Any) -> None:
    with paraply.Client(profile="default") as rc:
        rc.wait_for_engines(4, timeout=30)
        assert rc.ids == [0, 1, 2, 3]
    with pytest.raises(OSError, match="nowhere"):
        paraply.Client(profile="nowhere", timeout=0)


def test_s2_03_ids(rc: paraply.Client) -> None:
    assert rc.ids == [0, 1, 2, 3]


def test_s2_04_a_new_cluster_counts_from_zero(cluster: Any) -> None:
    for n in (2, 1):
        with paraply.Cluster(n=n, profile="mpi") as rc:
            assert rc.ids == list(range(n))
            with paraply.Client(profile="mpi") as same:
                same.wait_for_engines(n, timeout=30)
                assert same.ids == rc.ids


def test_s2_05_single_engine(rc: paraply.Client) -> None:
    assert rc[2].targets == 2
    assert rc[2].apply_sync(len, "abc") == 3
    assert rc[-1].targets == 3
    with pytest.raises(IndexError, match="No such engine: 99"):
        rc[99]


def test_s2_06_all_engines_is_a_fixed_list(rc: paraply.Client) -> None:
    assert rc[:].targets == [0, 1, 2, 3]


def test_s2_07_targets_is_an_attribute(rc: paraply.Client) -> None:
    dview = rc[:]
    dview.targets = [1, 3]
    dview["only"] = 1
    assert rc[1]["only"] == 1
    with pytest.raises(paraply.RemoteError):
        rc[0]["only"]
    dview.targets = [1, 99]
    with pytest.raises(IndexError, match="No such engine: 99"):
        dview.apply(len, "abc")


def test_s2_08_track(dview: Any) -> None:
    dview.track = True
    result = dview.push({"a": bytes(1 << 20)})
    result.wait_for_send(timeout=30)
    assert result.sent is True
    result.get()


def test_s2_09_and_10_a_view_does_not_block_unless_told(dview: Any) -> None:
    result = dview.apply(len, "abc")
    assert isinstance(result, paraply.AsyncResult)
    assert result.get() == [3] * 4


def test_s2_12_block(dview: Any) -> None:
    dview.block = True
    assert dview.apply(len, "abc") == [3] * 4


def test_s2_11_metadata_progress_and_timing(dview: Any) -> None:
    import time

    result = dview.apply(time.sleep, 0.05)
    result.get()
    assert result.progress == 4
    assert [each["engine_id"] for each in result.metadata] == [0, 1, 2, 3]
    assert result.engine_id == [0, 1, 2, 3]
    assert result.status == ["ok"] * 4
    for each in result.metadata:
        assert each.submitted <= each.started + _clock_slack() <= each.completed + _clock_slack()
        assert (each.completed - each.started).total_seconds() >= 0.05
    assert result.serial_time >= 0.2
    assert result.wall_time >= 0.05
    assert result.elapsed == result.wall_time


def _clock_slack() -> Any:
    from datetime import timedelta

    return timedelta(milliseconds=5)


def test_s2_13_push(dview: Any) -> None:
    assert dview.push({"foo": "bar"}, block=True) == [None] * 4
    with pytest.raises(TypeError):
        dview.push([1])


def test_s2_14_pull(dview: Any) -> None:
    dview.block = True
    dview.push({"foo": "bar", "n": 2})
    assert dview.pull("foo") == ["bar"] * 4
    assert dview.pull(("foo", "n")) == [["bar", 2]] * 4
    assert dview.pull("n + 1") == [3] * 4


def test_s2_15_pull_from_one(dview: Any) -> None:
    dview.push({"foo": "bar"})
    assert dview.pull("foo", targets=0, block=True) == "bar"
    assert dview.pull("foo", targets=[0], block=True) == ["bar"]


def test_s2_16_pull_that_does_not_block(dview: Any) -> None:
    dview.push({"foo": "bar"})
    assert dview.pull("foo", block=False).get() == ["bar"] * 4


def test_s2_17_and_18_dictionary(dview: Any) -> None:
    dview["bar"] = "foo"
    assert dview["bar"] == ["foo"] * 4
    dview["box"] = type("Box", (), {})()
    dview["box.inner"] = 5
    assert dview["box.inner"] == [5] * 4


def test_s2_19_and_20_scatter(dview: Any) -> None:
    data = [0, 1, 2, 3, 4, 5, 6, 7]
    assert dview.scatter("a", data, block=True) is None
    assert dview["a"] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    dview.scatter("a", [1, 2], block=True)
    assert dview["a"] == [[1], [2], [], []]
    dview.scatter("a", [1, 2], flatten=True, block=True)
    assert dview["a"] == [1, 2, [], []]


def test_s2_21_gather(dview: Any) -> None:
    dview.scatter("a", list(range(8)))
    assert dview.gather("a").get() == list(range(8))
    dview.scatter("a", range(8))
    assert dview.gather("a").get() == list(range(8))


def test_s2_22_apply_passes_everything_on(dview: Any) -> None:
    def show(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    dview.block = True
    shown = dview.apply(show, 1, f=2, block=3, targets=4)
    assert shown == [((1,), {"f": 2, "block": 3, "targets": 4})] * 4


def test_s2_23_lambda_with_an_engines_variable(dview: Any) -> None:
    dview.block = True
    dview["a"] = 5
    assert dview.apply(interactive(lambda x: a * x), 3) == [15] * 4  # type: ignore[name-defined]  # noqa: F821


def test_s2_24_and_25_execute_and_show(dview: Any, capsys: pytest.CaptureFixture[str]) -> None:
    dview.block = True
    result = dview.execute('print("hi")')
    assert isinstance(result, paraply.AsyncResult)
    assert result.stdout == ["hi\n"] * 4
    result.display_outputs()
    assert lines(capsys.readouterr().out) == [f"[stdout:{engine}] hi" for engine in range(4)]


def test_s2_25_not_ready(dview: Any) -> None:
    result = dview.execute("import time; time.sleep(1)")
    with pytest.raises(TimeoutError, match="result not ready"):
        result.display_outputs()
    result.get()


def test_s2_26_run(dview: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "PrintPi.py"
    script.write_text("import math\nprint(math.pi)\n")
    dview.block = True
    dview.run(script).display_outputs()
    assert lines(capsys.readouterr().out) == [f"[stdout:{engine}] 3.141592653589793" for engine in range(4)]


def test_s2_28_execute_then_wait(rc: paraply.Client, capsys: pytest.CaptureFixture[str]) -> None:
    result = rc[:].execute("print('hi')")
    assert result.wait_for_output(timeout=30)
    result.display_outputs()
    assert lines(capsys.readouterr().out) == [f"[stdout:{engine}] hi" for engine in range(4)]


def test_one_engine_has_no_prefix(rc: paraply.Client, capsys: pytest.CaptureFixture[str]) -> None:
    rc[0].execute("print('hi')", block=True).display_outputs()
    assert capsys.readouterr().out == "hi\n"


def test_output_of_an_applied_function(dview: Any) -> None:
    def write(x: int) -> int:
        import os
        import sys

        print("to stdout", x)
        print("to stderr", file=sys.stderr)
        os.write(1, b"past Python\n")
        return x

    result = dview.apply_async(write, 3)
    assert result.get() == [3] * 4
    assert result.wait_for_output(timeout=30)
    assert all(sorted(text.splitlines()) == ["past Python", "to stdout 3"] for text in result.stdout)
    assert result.stderr == ["to stderr\n"] * 4
