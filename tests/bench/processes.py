"""Processes that leave nothing behind: whatever a system starts ends with its turn."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

_PR_SET_CHILD_SUBREAPER = 36
#: Seconds for a process that was killed to be gone.
GONE_WITHIN = 10.0


def adopt_orphans() -> None:
    """From now on a process below this one whose parent has ended is this one's child: nobody escapes by a fork."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot adopt orphans")


@contextmanager
def process(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process, out of the terminal's reach: what it and all below it leave is killed at the end."""
    started = subprocess.Popen(command, text=True, start_new_session=True, **options)
    try:
        yield started
    finally:
        end_everything(started)


def end_everything(started: subprocess.Popen[str]) -> None:
    """Kills a process and all that is below this one."""
    started.kill()
    started.wait()
    while left := psutil.Process().children(recursive=True):
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        # Children of children become ours, and are seen in the next turn.
        gone, alive = psutil.wait_procs(left, timeout=GONE_WITHIN)
        if alive and not gone:
            raise RuntimeError(f"cannot be killed: {alive}")


def raise_on_termination() -> None:
    """Has SIGTERM end this process as Ctrl-C does: by way of everything that is to be undone."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without what would lead a system to a cluster that runs already."""
    prefixes = ("PARAPLY_", "RAY_", "DASK_", "IPP_")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)} | settings
