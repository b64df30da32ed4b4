"""Programs with a client, and what starts clusters of two engines whose processes have OpenTelemetry's variables."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

from home import Home

#: A program with a client, a balanced view and a direct view.
BEGIN = """
import sys, paraply
rc = paraply.Client()
rc.wait_for_engines(2, timeout=60)
view, dview = rc.load_balanced_view(), rc[:]
"""

#: Starts a cluster with variables.
Started = Callable[..., AbstractContextManager[Home]]


def run(home: Home, program: str, **variables: str) -> str:
    """Runs a program with a client to its end, and returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BEGIN + program],
        env=home.env | variables,
        cwd=home.folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
