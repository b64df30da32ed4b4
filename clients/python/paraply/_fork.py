"""Links of this process: closed at its end, and left alone in children that are forked from it."""

from __future__ import annotations

import atexit
import os
import time
import weakref
from typing import TYPE_CHECKING, Any

from paraply._parting import LINGER

if TYPE_CHECKING:
    from paraply._link import Link

links: weakref.WeakSet[Link] = weakref.WeakSet()

#: Connections of the parent process. Even letting go of one would have its library wait for threads that are not here.
_inherited: list[Any] = []


def _close_all() -> None:
    end = time.monotonic() + LINGER
    for link in list(links):
        link.end_soon()
    for link in list(links):
        link.close(max(end - time.monotonic(), 0.0))


def _after_fork() -> None:
    for link in list(links):
        _inherited.append(link.disown())
    links.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
