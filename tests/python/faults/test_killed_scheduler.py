"""`kill -9` of the scheduler: the supervisor starts another at the same addresses, and nothing is lost."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from home import Home, eventually

import paraply
from paraply.util import interactive

TASKS = 1000


@interactive
def note(folder: str, task: int) -> int:
    """Leaves a line that it ran, takes its time, and gives its number."""
    import os
    import time

    with open(f"{folder}/{os.getpid()}", "a") as file:
        file.write(f"{task}\n")
    time.sleep(0.002)
    return task


def ran(folder: Path) -> Counter[int]:
    """How often each task ran."""
    return Counter(int(line) for path in folder.iterdir() for line in path.read_text().splitlines())


@pytest.mark.parametrize("kind", ["balanced", "direct", "map"])
def test_a_thousand_tasks_have_one_result_each(home: Home, rc: paraply.Client, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "ran"
    folder.mkdir()
    scheduler = home.status()["scheduler"]["pid"]
    if kind == "map":
        results = rc.load_balanced_view().map_async(note, [str(folder)] * TASKS, range(TASKS))
        get = results.get
    else:
        views = [rc.load_balanced_view()] if kind == "balanced" else list(rc)
        calls = [views[task % len(views)].apply_async(note, str(folder), task) for task in range(TASKS)]
        get = lambda timeout: [call.get(timeout=timeout) for call in calls]
    eventually(lambda: sum(ran(folder).values()) > TASKS // 20, "some tasks ran")
    os.kill(scheduler, signal.SIGKILL)
    assert sum(ran(folder).values()) < TASKS
    assert get(timeout=60) == list(range(TASKS))
    counts = ran(folder)
    assert sorted(counts) == list(range(TASKS)), "every task ran"
    # What is not known is a claim that was still on its way: at most one for each engine.
    assert sum(counts.values()) <= TASKS + 4
    assert rc.ids == [0, 1, 2, 3]


def test_a_task_that_runs_meanwhile_is_not_run_again(home: Home, rc: paraply.Client, tmp_path: Path) -> None:
    go, runs = tmp_path / "go", tmp_path / "runs"

    @interactive
    def wait_for(go: str, runs: str) -> int:
        import os
        import time

        with open(runs, "a") as file:
            file.write("x")
        while not os.path.exists(go):
            time.sleep(0.01)
        return os.getpid()

    results = [rc[0].apply_async(wait_for, str(go), str(runs)), rc[0].apply_async(os.getpid)]
    eventually(runs.exists, "it runs")
    before = home.status()
    home.kill_scheduler()
    home.wait_for_another_scheduler(4)
    go.touch()
    assert [result.get(timeout=30) for result in results] == [before["engines"][0]["pid"]] * 2
    assert runs.read_text() == "x"


def test_the_namespace_and_the_session_outlive_it(home: Home, rc: paraply.Client) -> None:
    rc[:].push({"x": 1}, block=True)
    for _ in range(3):
        home.kill_scheduler()
        rc[:].execute("x += 1", block=True)
    assert rc[:]["x"] == [4] * 4
    assert rc[1].apply_sync(lambda: x) == 4  # type: ignore[name-defined]  # noqa: F821


def test_another_client_comes_while_there_is_none(home: Home, rc: paraply.Client) -> None:
    home.kill_scheduler()
    with paraply.Client() as other:
        other.wait_for_engines(4, timeout=30)
        assert other.load_balanced_view().map_sync(abs, range(-4, 0)) == [4, 3, 2, 1]
