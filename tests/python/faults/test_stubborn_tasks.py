"""Tasks that do not want to stop: cancelled, signalled, out of time."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from home import eventually

import paraply
from paraply.error import EngineError, RemoteError, TaskTimeout
from paraply.util import interactive


@interactive
def hold_the_gil(marker: str) -> int:
    """Stays in C, where no interrupt is seen, for the better part of an hour."""
    open(marker, "w").close()
    return sum(range(10**11))


@interactive
def sleep_long(marker: str) -> str:
    import time

    open(marker, "w").close()
    for _ in range(6000):
        time.sleep(0.01)
    return "slept"


def wait_until_running(marker: Path) -> None:
    eventually(marker.exists, "it runs")


def test_a_cancelled_task_that_runs_is_interrupted_and_its_engine_lives(rc: paraply.Client, tmp_path: Path) -> None:
    engine = rc[1].apply_sync(os.getpid)
    running = rc[1].apply_async(sleep_long, str(tmp_path / "runs"))
    behind = rc[1].apply_async(os.getpid)
    wait_until_running(tmp_path / "runs")
    assert running.cancel()
    assert behind.get(timeout=10) == engine
    assert isinstance(running.exception(timeout=10), RemoteError)
    assert not running.cancel(), "nothing is left to cancel"


def test_a_task_in_c_is_told_of_and_then_ended_with_its_engine(
    rc: paraply.Client, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    running = rc[2].apply_async(hold_the_gil, str(tmp_path / "runs"))
    balanced = rc.load_balanced_view().map_async(abs, range(-100, 0))
    wait_until_running(tmp_path / "runs")
    assert running.cancel()
    told: list[str] = []

    def is_told() -> bool:
        told.append(capfd.readouterr().err)
        return "cancel(kill_after=1) ends it, and its engine" in "".join(told)

    eventually(is_told, "the user is told that it still runs")
    assert f"hold_the_gil {running.msg_ids[0]} on engine 2" in "".join(told)
    assert not running.done()

    assert running.cancel(kill_after=0.1)
    assert isinstance(running.exception(timeout=10), RemoteError)
    eventually(lambda: rc.ids == [0, 1, 3], "the client knows")
    assert balanced.get(timeout=30) == list(range(100, 0, -1))


def test_run_timeout(rc: paraply.Client, tmp_path: Path) -> None:
    view = rc[3]
    engine = view.apply_sync(os.getpid)
    with view.temp_flags(run_timeout=0.3):
        late = view.apply_async(sleep_long, str(tmp_path / "runs"))
    with view.temp_flags(run_timeout=30):
        in_time = view.apply_async(abs, -1)
    with pytest.raises(TaskTimeout, match="run_timeout"):
        late.get(timeout=10)
    assert in_time.get(timeout=10) == 1
    assert view.apply_sync(os.getpid) == engine


def test_a_signal_from_the_client(rc: paraply.Client, tmp_path: Path) -> None:
    first = rc[0].apply_async(sleep_long, str(tmp_path / "first"))
    second = rc[1].apply_async(sleep_long, str(tmp_path / "second"))
    wait_until_running(tmp_path / "first")
    wait_until_running(tmp_path / "second")
    rc.send_signal(signal.SIGINT, targets=0)
    with pytest.raises(RemoteError, match="KeyboardInterrupt"):
        first.get(timeout=10)
    assert not second.done()
    rc.send_signal("SIGKILL", targets=1)
    sent = time.monotonic()
    with pytest.raises(EngineError, match="Engine 1"):
        second.get(timeout=10)
    assert time.monotonic() - sent < 10
    with pytest.raises(IndexError):
        rc.send_signal(signal.SIGINT, targets=1)
