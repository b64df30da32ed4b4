"""An engine's process that stands still for longer than its lease (SIGSTOP, a laptop that sleeps) and goes on then."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from bystander import Bystander
from home import Home, eventually, leases
from processes import stopped

import paraply
from paraply.error import EngineError
from paraply.util import interactive

LEASE = 2.0


@pytest.fixture
def settings() -> dict[str, str]:
    """A lease that runs out soon."""
    return leases(LEASE)


@interactive
def note_and_wait(folder: str, name: str, go: str) -> int:
    """Notes that it starts, and how it ends; waits until it may go on."""
    import os
    import time

    def note(what: str) -> None:
        with open(f"{folder}/{name}", "a") as file:
            file.write(f"{what} {os.getpid()}\n")

    try:
        note("starts")
        while not os.path.exists(go):
            time.sleep(0.01)
    except KeyboardInterrupt:
        note("interrupted")
        raise
    note("ends")
    return os.getpid()


def noted(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text().splitlines() if (folder / name).exists() else []


@pytest.mark.parametrize("settings", [leases(20)], ids=["20s"])
def test_a_pause_shorter_than_the_lease_costs_nothing(home: Home, rc: paraply.Client, tmp_path: Path) -> None:
    go = tmp_path / "go"
    pid = rc[3].apply_sync(os.getpid)
    running = rc[3].apply_async(note_and_wait, str(tmp_path), "runs", str(go))
    eventually(lambda: noted(tmp_path, "runs"), "it runs")
    with Bystander([0, 1, 2]) as bystander:
        with stopped(pid):
            bystander.goes_on()
            queued = [rc[3].apply_async(abs, -n) for n in range(50)]
            time.sleep(0.5)
        go.touch()
        assert running.get(timeout=10) == pid
        assert [result.get(timeout=10) for result in queued] == list(range(50))
    assert noted(tmp_path, "runs") == [f"starts {pid}", f"ends {pid}"]
    assert rc.ids == [0, 1, 2, 3]


def test_it_is_lost_after_its_lease_and_fenced_when_it_goes_on(home: Home, rc: paraply.Client, tmp_path: Path) -> None:
    go = tmp_path / "go"
    pids = rc[:].apply_sync(os.getpid)
    rc[:].push({"state": "kept"}, block=True)
    direct = rc[3].apply_async(note_and_wait, str(tmp_path), "direct", str(go))
    behind = rc[3].apply_async(note_and_wait, str(tmp_path), "behind", str(go))
    eventually(lambda: noted(tmp_path, "direct"), "it runs")
    with Bystander([0, 1, 2]) as bystander:
        with stopped(pids[3]):
            stopped_at = time.monotonic()
            with pytest.raises(EngineError, match=f"Engine 3 died while running task '{direct.msg_ids[0]}'"):
                direct.get(timeout=60)
            assert LEASE / 2 < time.monotonic() - stopped_at < 10 * LEASE
            assert rc.ids == [0, 1, 2]
            with pytest.raises(EngineError, match="Engine 3"):
                behind.get(timeout=10)
            with pytest.raises(IndexError, match="No such engine: 3"):
                rc[:].pull("state", targets=3)
            eventually(lambda: len(home.status()["engines"]) == 3, "the controller has given it up")
            bystander.goes_on()
        # It comes back as what it is: the same process with what it has in memory, and with its id.
        eventually(lambda: rc.ids == [0, 1, 2, 3], "it is back")
        eventually(lambda: [e["state"] for e in home.status()["engines"]] == ["ready"] * 4, "the controller knows")
        # Nobody waits for what it runs. It runs on all the same, and can be interrupted like anything else.
        following = rc[3].apply_async(os.getpid)
        assert noted(tmp_path, "direct") == [f"starts {pids[3]}"]
        rc.send_signal(signal.SIGINT, targets=3)
        assert following.get(timeout=30) == pids[3]
        assert rc[3]["state"] == "kept"
        assert noted(tmp_path, "direct") == [f"starts {pids[3]}", f"interrupted {pids[3]}"]
        assert noted(tmp_path, "behind") == [], "what was given up is not begun"
        with pytest.raises(EngineError):
            direct.get()


def test_a_task_that_may_run_again_has_one_result(home: Home, rc: paraply.Client, tmp_path: Path) -> None:
    go = tmp_path / "go"
    pids = rc[:].apply_sync(os.getpid)
    lview = rc.load_balanced_view(targets=[2, 3])
    with lview.temp_flags(retries=1):
        result = lview.apply_async(note_and_wait, str(tmp_path), "runs", str(go))
    first = int(eventually(lambda: noted(tmp_path, "runs"), "it runs")[0].split()[1])
    other = next(pid for pid in pids[2:] if pid != first)
    with Bystander([0, 1]) as bystander:
        with stopped(first):
            eventually(lambda: len(noted(tmp_path, "runs")) == 2, "it runs elsewhere")
            bystander.goes_on()
        eventually(lambda: rc.ids == [0, 1, 2, 3], "it is back")
        assert not result.done()
        go.touch()
        assert result.get(timeout=30) == other, "the outcome of the run that was given up does not count"
        assert rc[2:].apply_async(os.getpid).get(timeout=30) == pids[2:]
    assert sorted(noted(tmp_path, "runs")) == sorted(f"{what} {pid}" for what in ("starts", "ends") for pid in pids[2:])
