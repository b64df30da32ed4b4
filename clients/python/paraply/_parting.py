"""How long the end of a client may take, and what its user is told meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from paraply._notice import say

#: Seconds that a client which is closed waits for the cluster to take the calls that were made.
LINGER = 10.0
#: Seconds that it waits for the scheduler to take note of its end.
NOTICE = 1.0
#: Seconds of silence before the user is told what is being waited for.
_SILENCE = 2.0


def await_end(thread: threading.Thread, end: float, missing: Callable[[], str]) -> None:
    """Waits for the thread that hangs up.

    Args:
        end: Until when on the monotonic clock; somewhat longer where nothing is missing.
        missing: What the cluster does not have yet, for people; empty if it has all.
    """
    thread.join(max(min(end - time.monotonic(), _SILENCE), NOTICE))
    if not thread.is_alive() or not (what := missing()):
        return
    left = end - time.monotonic()
    if left > 0:
        say(f"waiting until the cluster has {what}; {left:.0f} s at most")
        thread.join(left)
    if thread.is_alive() and (what := missing()):
        say(f"closed before the cluster had {what}: they may be lost")
