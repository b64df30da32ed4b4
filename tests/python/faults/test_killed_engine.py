"""`kill -9` of an engine: what it ran fails or runs elsewhere, what was behind it moves, and the client knows."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from home import Home, eventually

import paraply
from paraply.error import EngineError, RemoteError
from paraply.util import interactive


@interactive
def run_for_ever(marker: str) -> None:
    """Says who runs it, and goes on until that is killed."""
    import os
    import time

    with open(marker, "w") as file:
        file.write(f"{os.getpid()}\n")
    while True:
        time.sleep(1)


@interactive
def run_for_ever_once(marker: str) -> int:
    """The first time, goes on until it is killed; the second, says who runs it."""
    import os
    import time

    if os.path.exists(marker):
        return os.getpid()
    with open(marker, "w") as file:
        file.write(f"{os.getpid()}\n")
    while True:
        time.sleep(1)


def who_runs(marker: Path) -> int:
    return int(
        eventually(lambda: marker.exists() and marker.read_text().endswith("\n") and marker.read_text(), "it runs")
    )


def test_a_direct_task_fails_at_once_and_names_the_engine(rc: paraply.Client, tmp_path: Path) -> None:
    marker = tmp_path / "runs"
    running = rc[2].apply_async(run_for_ever, str(marker))
    behind = rc[2].apply_async(os.getpid)
    everywhere = rc[:].apply_async(os.getpid)
    os.kill(who_runs(marker), signal.SIGKILL)
    killed = time.monotonic()
    with pytest.raises(EngineError, match="Engine 2 died while running task") as caught:
        running.get(timeout=10)
    assert time.monotonic() - killed < 5, "that is half of its lease"
    assert isinstance(caught.value, RemoteError) and caught.value.engine_info["engine_id"] == 2
    assert rc.ids == [0, 1, 3]
    with pytest.raises(EngineError, match="Engine 2"):
        behind.get(timeout=10)
    results = everywhere.get(timeout=10, return_exceptions=True)
    assert isinstance(results.pop(2), EngineError)
    assert len(set(results)) == 3
    assert len(rc.direct_view()) == 3
    with pytest.raises(IndexError, match="No such engine: 2"):
        rc[:].pull("x", targets=2)


def test_a_balanced_task_with_a_retry_finishes_elsewhere(rc: paraply.Client, tmp_path: Path) -> None:
    marker = tmp_path / "runs"
    lview = rc.load_balanced_view()
    with lview.temp_flags(retries=1):
        result = lview.apply_async(run_for_ever_once, str(marker))
    victim = who_runs(marker)
    os.kill(victim, signal.SIGKILL)
    assert result.get(timeout=10) != victim
    assert len(rc.ids) == 3


def test_without_a_retry_a_balanced_task_fails(rc: paraply.Client, tmp_path: Path) -> None:
    marker = tmp_path / "runs"
    result = rc.load_balanced_view().apply_async(run_for_ever, str(marker))
    os.kill(who_runs(marker), signal.SIGKILL)
    with pytest.raises(EngineError, match="died while running task"):
        result.get(timeout=10)


def test_a_task_that_has_failed_everywhere_fails_at_once_whatever_retries_it_has_left(rc: paraply.Client) -> None:
    lview = rc.load_balanced_view()
    with lview.temp_flags(retries=9):
        result = lview.apply_async(lambda: 1 / 0)
    # Less than the time that a scheduler waits for engines that it may have forgotten.
    with pytest.raises(RemoteError, match="ZeroDivisionError"):
        result.get(timeout=5)


def test_balanced_tasks_that_waited_behind_it_move(home: Home, rc: paraply.Client, tmp_path: Path) -> None:
    markers = [tmp_path / str(engine) for engine in range(4)]
    lview = rc.load_balanced_view()
    running = [lview.apply_async(run_for_ever, str(marker)) for marker in markers]
    victims = [who_runs(marker) for marker in markers]
    # Some of these were sent ahead to the engines, the others wait for room.
    behind = lview.map_async(lambda x: x * x, range(50))
    for victim in victims[1:]:
        os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(rc.ids) == 1, "the client knows")
    assert not behind.ready(), "the engine that is left is busy"
    home.run("engines", "-n", "1")
    assert behind.get(timeout=30) == [x * x for x in range(50)]
    assert max(rc.ids) == 4
    os.kill(victims[0], signal.SIGKILL)
    for result in running:
        assert isinstance(result.exception(timeout=10), EngineError)


def test_an_engine_that_joins_gets_what_waits(home: Home, rc: paraply.Client) -> None:
    for engine in home.status()["engines"]:
        os.kill(engine["pid"], signal.SIGKILL)
    eventually(lambda: not rc.ids, "the client knows that all engines are gone")
    result = rc.load_balanced_view().map_async(abs, range(-20, 0))
    home.run("engines", "-n", "1")
    assert result.get(timeout=30) == list(range(20, 0, -1))
    assert rc.ids == [4]
