"""A service that hangs: whoever asks it is told so in time."""

from __future__ import annotations

import os
import signal
import subprocess

from home import PARAPLY, Home, eventually

TASK = "0" * 32 + "_0"


def test_nobody_waits_for_them_without_end(home: Home) -> None:
    home.start(1)
    pids = [home.status()[service]["pid"] for service in ("controller", "scheduler")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        asked = [
            subprocess.Popen(
                [PARAPLY, *command], env=home.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            for command in (["status"], ["explain", TASK])
        ]
        status, explained = (process.communicate(timeout=120)[0] for process in asked)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert "the controller has not answered for 10 s" in status
    assert "the scheduler has not answered for 10 s" in explained
    assert [process.returncode for process in asked] == [1, 1]
    eventually(lambda: "ready" in home.run("status"), "the engine is back")
