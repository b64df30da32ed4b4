"""Children that a task forked, and that came back from the task instead of ending by themselves."""

from __future__ import annotations

import sys
from typing import NoReturn

from paraply_engine import _native
from paraply_engine._failure import Failure, describe, render


def fail(error: BaseException, kind: int, rendered: str | None = None) -> Failure:
    """How the task failed; in a forked child, which has no task to report, its end. `kind`, `rendered`: as in `describe`."""
    if _native.is_child():
        _end(error)
    return describe(error, kind, rendered)


def _end(error: BaseException) -> NoReturn:
    """What Python does about an exception that nobody catches."""
    status = 1
    try:
        if not isinstance(error, SystemExit):
            print(render(error), file=sys.stderr)
        elif error.code is None or isinstance(error.code, int):
            status = (error.code or 0) & 0xFF
        else:
            print(error.code, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        _native.leave(status)
