"""A client's session on grpcio's core, and on its public interface where there is no core."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from home import Home

PROGRAM = """
import json, os, sys, threading
from pathlib import Path
import paraply


def woken() -> int:
    \"\"\"How often threads of grpcio's own have gone to sleep so far.\"\"\"
    times = 0
    for thread in Path("/proc/self/task").iterdir():
        try:
            name, status = (thread / "comm").read_text().strip(), (thread / "status").read_text()
        except OSError:  # it has ended
            continue
        if name == "event_engine":
            times += int(status.split("\\nvoluntary_ctxt_switches:")[1].split()[0])
    return times


with paraply.Client() as rc:
    has_core = any(thread.name == "paraply-writer" for thread in threading.enumerate())
    assert rc[0].apply_sync(abs, -1) == 1
    before = woken()
    assert [rc[0].apply_sync(abs, -n) for n in range(300)] == list(range(300))
    during = woken() - before
    many = [rc[0].apply_async(abs, -n) for n in range(2000)]
    assert [each.get(60) for each in many] == list(range(2000))
    assert rc.load_balanced_view().map_sync(abs, range(-5000, 0)) == list(range(5000, 0, -1))
    # Each comes in a message of its own, which is nearly as large as one may be.
    large = [bytes([n]) * 60_000 for n in range(200)]
    assert rc.load_balanced_view().map_sync(bytes, large) == large
    settings = {name: os.environ.get(name) for name in ("GRPC_EXPERIMENTS", "GRPC_ENABLE_FORK_SUPPORT")}
    json.dump({"core": has_core, "woken": during, "settings": settings}, sys.stdout)
"""


def told(home: Home, **settings: str) -> dict[str, Any]:
    """What the program says, with such an environment. It must write nothing else."""
    env = {name: value for name, value in home.env.items() if not name.startswith("GRPC_")} | settings
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_a_call_wakes_no_thread_of_the_library_and_leaves_the_environment_alone(home: Home) -> None:
    home.start(2)
    said = told(home)
    assert said["core"], "this grpcio lacks what paraply._transport.core names"
    # Its timers wake them now and then. With its event engine on it was 2,000 times.
    assert said["woken"] < 300, "so many calls were made"
    assert said["settings"] == {"GRPC_EXPERIMENTS": None, "GRPC_ENABLE_FORK_SUPPORT": None}


@pytest.mark.parametrize("settings", [{"GRPC_ENABLE_FORK_SUPPORT": "1"}, {"GRPC_EXPERIMENTS": "event_engine_client"}])
def test_who_sets_grpcio_up_has_it_so(home: Home, settings: dict[str, str]) -> None:
    home.start(2)
    said = told(home, **settings)
    assert said["core"] == ("GRPC_EXPERIMENTS" in settings)
    assert {name: value for name, value in said["settings"].items() if value is not None} == settings
    assert said["woken"] > 300
