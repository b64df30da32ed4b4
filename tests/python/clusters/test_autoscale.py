"""Engines that come when tasks wait and leave when they are idle: nothing is lost, and nothing runs twice."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from gates import wait_for
from home import Home, eventually, leases

import paraply
from paraply.util import interactive


@interactive
def leave_a_mark(folder: str, number: int, gate: str) -> int:
    """Leaves a file each time that it runs, waits for another, and returns the process that it ran in."""
    import os
    import time

    with open(os.path.join(folder, f"{number}-{os.getpid()}-{time.monotonic_ns()}"), "x"):
        while not os.path.exists(gate):
            time.sleep(0.01)
        time.sleep(0.02)
    return os.getpid()


def autoscaling(home: Home) -> Any:
    """What `paraply status` says of it."""
    return home.status()["autoscaling"]


def test_from_none_to_the_most_and_back_to_none(home: Home, tmp_path: Path) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    marks.mkdir()
    with paraply.Cluster(n=0, autoscale=(0, 3), idle_timeout=1.0) as rc:
        assert rc.ids == []
        view = rc.load_balanced_view()
        first = view.apply_async(os.getpid)
        assert first.get(timeout=30) > 0, "the first task has an engine started"
        many = view.map_async(leave_a_mark, [str(marks)] * 60, range(60), [str(gate)] * 60, chunksize=1)
        eventually(lambda: len(rc.ids) == 3, "as many as there may be")
        assert autoscaling(home) == {
            "min_engines": 0,
            "max_engines": 3,
            "wanted_engines": 3,
            "idle_seconds": 1.0,
        }
        gate.touch()
        assert len(set(many.get(timeout=60))) == 3, "each has run some"
        eventually(lambda: rc.ids == [], "all have left")
        assert rc.cluster.engines == {}
        assert view.apply_async(os.getpid).get(timeout=30) != first.get(), "and others come"
    assert sorted(int(path.name.partition("-")[0]) for path in marks.iterdir()) == list(range(60))


def test_who_is_busy_stays_and_the_least_do(home: Home, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with paraply.Cluster(n=3, autoscale=(1, 3), idle_timeout=5.0) as rc:
        assert rc.ids == [0, 1, 2]
        running = [rc[engine].apply_async(wait_for, str(gate)) for engine in (1, 2)]
        eventually(lambda: rc.ids == [1, 2], "the one that is idle has left")
        assert not any(result.ready() for result in running)
        gate.touch()
        processes = {result.get(timeout=30) for result in running}
        eventually(lambda: len(rc.ids) == 1, "one more has left")
        assert rc.load_balanced_view().apply_sync(os.getpid) in processes
        assert autoscaling(home)["wanted_engines"] == 1


def test_a_controller_that_is_started_again_goes_on(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in leases(3).items():
        monkeypatch.setenv(name, value)
    with paraply.Cluster(n=0, autoscale=(0, 2), idle_timeout=1.0) as rc:
        view = rc.load_balanced_view()
        process = view.apply_async(os.getpid).get(timeout=30)
        before = home.status()["controller"]["pid"]
        os.kill(before, signal.SIGKILL)
        eventually(lambda: home.status()["controller"]["pid"] != before, "another is there")
        eventually(lambda: rc.ids == [], "it knows who is idle")
        assert view.apply_async(os.getpid).get(timeout=30) != process, "and that somebody waits"


def test_somebody_may_ask_for_what_is_within_the_bounds(home: Home) -> None:
    with paraply.Cluster(n=9, autoscale=(1, 3)) as rc:
        assert len(rc.ids) == 3
        rc.scale(2)
        assert len(rc.ids) == 2
        for engines in (0, 4):
            with pytest.raises(Exception, match="autoscaling is on, and keeps to 1 to 3 engines"):
                rc.scale(engines)
        assert len(rc.ids) == 2


def test_by_command(home: Home) -> None:
    said = home.run("start", "-n", "0", "--autoscale", "1:2", "--idle", "30", "--daemonize")
    assert "runs with 1 engine." in said
    assert "autoscaling 1 to 2 engines, 1 wanted, idle after 30 s" in home.run("status")
    home.run("stop")
    for wrong in ("8", "3:2", "0:0"):
        assert "it is MIN:MAX, such as 0:8" in home.run("start", "--autoscale", wrong, expect=2)
    assert "it is a number from 0.5 to 1000000" in home.run("start", "--autoscale", "0:2", "--idle", "0", expect=2)
    assert "--autoscale" in home.run("start", "--idle", "5", expect=2)


@pytest.mark.parametrize("autoscale", [(1,), (1, 2, 3), (-1, 2), (3, 2), (0, 0), (0, 4097), (0.5, 2), "ab", 4])
def test_bounds_that_make_no_sense_are_refused(autoscale: Any) -> None:
    with pytest.raises(ValueError, match="autoscale="):
        paraply.Cluster(autoscale=autoscale)


@pytest.mark.parametrize("idle_timeout", [0, 0.4, -1.0, 1e7, float("nan"), float("inf")])
def test_a_time_that_cannot_be_kept_is_refused(idle_timeout: float) -> None:
    with pytest.raises(ValueError, match="idle_timeout="):
        paraply.Cluster(idle_timeout=idle_timeout)
