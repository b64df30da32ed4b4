"""A client's process that stands still (SIGSTOP) with very many results under way to it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bystander import Bystander
from home import Home, eventually
from processes import memory, stopped
from sessions import is_known

import paraply

#: Tasks whose results wait for it.
TASKS = int(os.environ.get("PARAPLY_PAUSED_RESULTS", "100000"))
#: Seconds that it stands still.
PAUSE = float(os.environ.get("PARAPLY_PAUSE", "5"))
#: What the scheduler may have for a result that waits, in bytes.
BYTES_A_RESULT = 1000

PROGRAM = """
import pathlib, sys, paraply
folder, tasks = pathlib.Path(sys.argv[1]), int(sys.argv[2])
rc = paraply.Client(label="paused")
rc.wait_for_engines(4)
def wait_for(go):
    import os, time
    while not os.path.exists(go):
        time.sleep(0.01)
gates = [rc[engine].apply_async(wait_for, str(folder / "go")) for engine in (1, 2, 3)]
results = rc.load_balanced_view(targets=[1, 2, 3]).map_async(lambda x: -x, range(tasks), chunksize=1)
assert len(results.msg_ids) == tasks
(folder / "submitted").touch()
got = results.get(timeout=300)
wrong = [n for n in range(tasks) if got[n] != -n]
assert len(got) == tasks and not wrong, wrong[:10]
(folder / "right").touch()
rc.close()
"""


def outstanding(rc: paraply.Client) -> int:
    """Tasks of the client that stands still which are not finished."""
    status = rc.queue_status(verbose=False)
    return int(status["unassigned"]) + sum(status[engine]["queue"] + status[engine]["tasks"] for engine in (1, 2, 3))


def test_others_do_not_notice_and_it_gets_all_of_them(home: Home, rc: paraply.Client, tmp_path: Path) -> None:
    scheduler = home.status()["scheduler"]["pid"]
    arguments = [sys.executable, "-c", PROGRAM, str(tmp_path), str(TASKS)]
    with Bystander([0]) as bystander, subprocess.Popen(arguments, env=home.env) as client:
        try:
            eventually((tmp_path / "submitted").exists, "it has submitted", seconds=120)
            eventually(lambda: outstanding(rc) >= TASKS, "the scheduler has the tasks", seconds=120)
            assert is_known(rc, "paused")
            before = memory(scheduler)
            undisturbed = len(bystander.took)
            with stopped(client.pid):
                paused = time.monotonic()
                (tmp_path / "go").touch()
                eventually(lambda: outstanding(rc) == 0, "all are done, and nobody reads", seconds=120)
                most = memory(scheduler)
                done = len(bystander.took)
                while time.monotonic() < paused + PAUSE:
                    bystander.goes_on()
                    most = max(most, memory(scheduler))
                while_stopped = bystander.took[done:]
                assert most - before < TASKS * BYTES_A_RESULT
            went_on = len(bystander.took)
            assert client.wait(300) == 0
            assert (tmp_path / "right").exists()
            bystander.goes_on()
        finally:
            client.kill()
    print(
        f"scheduler: {before >> 20} MiB with the tasks, {most >> 20} MiB with the results; calls of the other client took "
        f"{spread(bystander.took[:undisturbed])} while it submitted, {spread(while_stopped)} while it stood still, "
        f"{spread(bystander.took[went_on:])} while it read"
    )
    eventually(lambda: not is_known(rc, "paused"), "the scheduler keeps nothing of it")


def spread(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return "?"
    cuts = statistics.quantiles(seconds, n=100)
    return (
        f"{1e3 * statistics.median(seconds):.2f} ms (99 %: {1e3 * cuts[98]:.2f} ms, most: {1e3 * max(seconds):.1f} ms)"
    )
