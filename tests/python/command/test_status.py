"""`paraply status`: what waits, and where."""

import json
import os
import pty
import re
import signal
from pathlib import Path

from gates import wait_for
from home import Home, eventually, leases

import paraply


def test_tasks_that_no_engine_has_yet_are_counted(home: Home) -> None:
    home.env |= leases(120)
    home.start(1)
    assert home.status()["unassigned_tasks"] == 0
    engine = home.status()["engines"][0]["pid"]
    with paraply.Client() as rc:
        os.kill(engine, signal.SIGSTOP)
        try:
            calls = rc.load_balanced_view().map_async(abs, range(10_000))
            # The engine has claimed some of them.
            eventually(lambda: home.status()["unassigned_tasks"] > 5_000, "tasks wait")
            assert re.search(r"\d{4} tasks for any engine", home.run("status"))
        finally:
            os.kill(engine, signal.SIGCONT)
        assert len(calls.get(timeout=60)) == 10_000
    assert home.status()["unassigned_tasks"] == 0


def test_watching_shows_rates_and_what_runs_for_longest(home: Home, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    home.start(2)
    with paraply.Client() as rc, home.popen("status", "--watch", "0.1", "--json") as watching:
        rc.wait_for_engines(2, timeout=30)
        long = rc[0].apply_async(wait_for, str(gate))
        rc[1].map_async(abs, range(100)).get(timeout=30)

        def told(line: str) -> bool:
            status = json.loads(line)
            return bool(status["running_tasks"]) and status["completed_tasks"] >= 1

        assert watching.stdout is not None
        line = next(filter(told, watching.stdout))
        (running,) = json.loads(line)["running_tasks"]
        assert running["task"] == long.msg_ids[0]
        assert (running["engine_id"], running["name"]) == (0, "wait_for")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 0
        gate.touch()
        long.get(timeout=30)


def test_watching_on_a_terminal_redraws_it_and_gives_it_back(home: Home) -> None:
    home.start(1)
    master, terminal = pty.openpty()
    with home.popen("status", "--watch", "0.1", stdout=terminal) as watching:
        os.close(terminal)
        seen = b""
        while seen.count(b"\x1b[H") < 3:
            seen += os.read(master, 4096)
        assert seen.startswith(b"\x1b[?1049h")
        assert b"Cluster 'default' of profile 'default'" in seen and b"DONE/S" in seen
        home.run("stop")
        while b"the cluster was stopped" not in seen:
            seen += os.read(master, 4096)
        assert b"\x1b[?1049l" in seen.partition(b"the cluster was stopped")[0][-16:]
        assert watching.wait(30) == 0
    os.close(master)
