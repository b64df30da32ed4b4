"""A supervisor that hangs: whoever asks it is told so, and how to end it."""

import os
import signal
import subprocess

from home import PARAPLY, Home, eventually


def test_nobody_waits_for_it_without_end(home: Home) -> None:
    home.start(1)
    supervisor = home.record()["pid"]
    os.kill(supervisor, signal.SIGSTOP)
    try:
        asked = [
            subprocess.Popen(
                [PARAPLY, command], env=home.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            for command in ("stop", "list")
        ]
        stop, listed = (process.communicate(timeout=60)[0] for process in asked)
    finally:
        os.kill(supervisor, signal.SIGKILL)
    for said in (stop, listed):
        assert f"its supervisor hangs: end it with `kill -9 {supervisor}`" in said
    assert [process.returncode for process in asked] == [1, 0]
    assert listed.splitlines()[-1].split() == ["default", "default", "yes", "-", "local"]
    eventually(lambda: not home.processes(), "every process ends", seconds=30)
