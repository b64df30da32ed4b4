"""A client's process that is killed: what becomes of its tasks, and for how long its results are there for others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from home import Home, eventually
from sessions import is_known

import paraply

#: Seconds that a session outlives its client here: others have fetched its results long before.
GRACE = 8.0

PROGRAM = """
import pathlib, sys, time, paraply
folder, policy = pathlib.Path(sys.argv[1]), sys.argv[2]
rc = paraply.Client(label="vanished", on_disconnect=policy)
rc.wait_for_engines(4)
def wait_for(go, started):
    import os, pathlib, time
    pathlib.Path(started).touch()
    while not os.path.exists(go):
        time.sleep(0.01)
    return "ran on"
def leaves(trace):
    import pathlib
    pathlib.Path(trace).touch()
    return "was next"
running = rc[0].apply_async(wait_for, str(folder / "go"), str(folder / "started"))
queued = rc[0].apply_async(leaves, str(folder / "trace"))
while not (folder / "started").exists():
    time.sleep(0.01)
(folder / "names").write_text(" ".join(running.msg_ids + queued.msg_ids))
(folder / "names").rename(folder / "submitted")
time.sleep(600)
"""


@pytest.fixture
def settings() -> dict[str, str]:
    """A session that is forgotten soon."""
    return {"PARAPLY_SCHEDULER_SESSION_GRACE_MILLIS": str(round(GRACE * 1000))}


@contextmanager
def killed(home: Home, folder: Path, policy: str) -> Iterator[tuple[str, str]]:
    """A client was killed while a task of it ran and another one waited behind that. What the two are called."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), policy], env=home.env) as client:
        try:
            eventually((folder / "submitted").exists, "it has submitted", seconds=60)
        finally:
            client.kill()
    running, queued = (folder / "submitted").read_text().split()
    yield running, queued
    # Nobody waits for a task that runs for ever.
    (folder / "go").touch()


def test_its_tasks_run_on_and_others_get_their_results_until_the_grace_is_over(
    home: Home, rc: paraply.Client, tmp_path: Path
) -> None:
    with killed(home, tmp_path, "keep") as (running, queued):
        assert is_known(rc, "vanished")
        (tmp_path / "go").touch()
        assert rc.get_result([running, queued]).get(timeout=30) == ["ran on", "was next"]
        assert is_known(rc, "vanished")
    eventually(lambda: not is_known(rc, "vanished"), "the session is forgotten", seconds=8 * GRACE)
    with pytest.raises(paraply.RemoteError, match="No such message"):
        rc.get_result(queued).get(timeout=30)


def test_with_the_policy_to_cancel_what_waits_is_aborted_and_what_runs_is_not(
    home: Home, rc: paraply.Client, tmp_path: Path
) -> None:
    with killed(home, tmp_path, "cancel") as (running, queued):
        with pytest.raises(paraply.TaskAborted):
            rc.get_result(queued).get(timeout=30)
        (tmp_path / "go").touch()
        assert rc.get_result(running).get(timeout=30) == "ran on"
        rc[0].apply_sync(int)
        assert not (tmp_path / "trace").exists()
    eventually(lambda: not is_known(rc, "vanished"), "the session is forgotten", seconds=8 * GRACE)
