"""Sets of engines that are stopped while they start, or cannot be started."""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from home import Home, eventually
from supervised import ask, engines, read_until


def sleeper(home: Home) -> Path:
    """A Python whose engines never join."""
    python = home.folder / "sleeper"
    python.write_text(f'#!/bin/sh\ncase "$*" in *--connection*) exec sleep 1000;; esac\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


def test_a_cluster_whose_engines_are_stopped_before_they_join_is_ready_without_them(home: Home) -> None:
    cluster = home.start_in_foreground("-n", "2", "--python", str(sleeper(home)))
    read_until(cluster, "each")
    eventually(lambda: len(engines(home).popitem()[1]) == 2, "both are there")
    assert ask(home, b'{"op": "stop_engines"}') == {"done": {}}
    read_until(cluster, "Ready, with 0 engines")
    assert engines(home) == {}
    cluster.send_signal(signal.SIGINT)
    cluster.communicate(timeout=20)
    assert cluster.returncode == 0


def test_who_waits_for_a_set_that_is_stopped_is_told_so(home: Home) -> None:
    home.start(0, "--python", str(sleeper(home)))
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(ask, home, b'{"op": "start_engines", "n": 1, "engine_set": "late", "wait": true}')
        eventually(lambda: engines(home).get("late"), "the set is there")
        assert ask(home, b'{"op": "stop_engines", "engine_set": "late"}') == {"done": {}}
        error = waiting.result()["error"]
    assert error == {"kind": "failed", "message": "the engine set was stopped before all its engines had joined"}
    assert "late" not in engines(home)


def test_a_set_that_cannot_be_started_leaves_nothing(home: Home) -> None:
    work = home.folder / "work"
    work.mkdir()
    home.start(0, "--work-dir", str(work))
    work.rmdir()
    before = engines(home)
    assert "the folder in which engines run, is not there" in home.run("engines", "-n", "2", expect=1)
    assert engines(home) == before
    work.mkdir()
    assert "1 more engines: 0" in home.run("engines", "-n", "1")
