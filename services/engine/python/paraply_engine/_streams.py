"""`sys.stdout` and `sys.stderr` over descriptors 1 and 2, which the engine captures, and `sys.stdin` over 0, in which nothing
is."""

from __future__ import annotations

import io
import sys
from typing import Any, cast

_DESCRIPTORS = {"stdout": 1, "stderr": 2}


def install() -> None:
    """Makes both anew: those that Python made remember what the descriptors were before the engine took them over."""
    for name in _DESCRIPTORS:
        stream = _text_stream(name)
        vars(sys).update({name: stream, f"__{name}__": stream})


def mend() -> None:
    """Makes anew what a task has deleted, closed or set to None: `exit()` closes `sys.stdin`. Anything else that it put there
    stays."""
    for name in ("stdin", *_DESCRIPTORS):
        original = f"__{name}__"
        if _is_gone(original):
            vars(sys)[original] = open(0, closefd=False) if name == "stdin" else _text_stream(name)  # noqa: SIM115
        if _is_gone(name):
            vars(sys)[name] = vars(sys)[original]


def _is_gone(name: str) -> bool:
    stream = vars(sys).get(name)
    return stream is None or getattr(stream, "closed", False) is True


def _text_stream(name: str) -> io.TextIOWrapper:
    raw = io.FileIO(_DESCRIPTORS[name], "w", closefd=False)
    cast(Any, raw).name = f"<{name}>"
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True)
