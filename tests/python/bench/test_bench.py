"""`make bench` from end to end, on a cluster of its own and quickly."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from rust_examples import built

import bench
from bench import floor
from bench.rows import OWN_ROWS, ROWS

TESTS = Path(bench.__file__).parent.parent


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bench", "--quick", *arguments]


@pytest.fixture
def env() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(TESTS), floor.PROGRAM: str(built("floor"))}


def test_every_figure_of_paraply_is_measured(env: dict[str, str], tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        command("--peers", "paraply,pool", "--json", str(figures)),
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(figures.read_text())
    assert measured["paraply"]["problems"] == {}
    assert set(measured["paraply"]["figures"]) == {row.key for row in (*ROWS, *OWN_ROWS)}
    assert all(len(found) == 1 and found[0] > 0 for found in measured["paraply"]["figures"].values())
    assert measured["pool"]["figures"].keys() == {"start", "latency", "latency_p99", "tasks", "futures", "tasks1k"}
    for row in (*ROWS, *OWN_ROWS):
        assert f"| {row.title} " in done.stdout


def test_a_peer_that_is_not_there_does_not_end_the_run(env: dict[str, str]) -> None:
    assert importlib.util.find_spec("dask") is None, "this environment has no peers"
    done = subprocess.run(
        command("--peers", "dask", "--only", "start"),
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "failed" in done.stdout and "- dask, start: " in done.stdout


def test_ctrl_c_leaves_nothing_running(env: dict[str, str]) -> None:
    running = subprocess.Popen(command("--peers", "paraply"), env=env, stderr=subprocess.PIPE, text=True)
    assert running.stderr
    with running:
        for line in running.stderr:
            if line.startswith("  latency"):
                break
        started = psutil.Process(running.pid).children(recursive=True)
        assert len(started) >= 7, "a child, a supervisor, two services and four engines"
        running.send_signal(signal.SIGINT)
        assert "stopped" in running.stderr.read()
    assert running.returncode == 1
    assert [process for process in started if process.is_running()] == []


def test_names_that_are_not_known_are_refused(env: dict[str, str]) -> None:
    done = subprocess.run(command("--peers", "spark"), env=env, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "'spark' is none of paraply,ipyparallel,ray,dask,pool" in done.stderr
