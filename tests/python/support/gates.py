"""Tasks that go on when a test says so."""

from __future__ import annotations

from paraply.util import interactive


@interactive
def wait_for(path: str) -> int:
    """Waits for a file, and returns the process that it ran in."""
    import os
    import time

    end = time.monotonic() + 60
    while not os.path.exists(path):
        if time.monotonic() > end:
            raise TimeoutError(path)
        time.sleep(0.01)
    return os.getpid()
