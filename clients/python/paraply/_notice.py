"""Telling the user, on stderr, what nobody asked for."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Prints a line of this package's. A program without a stderr is told nothing."""
    if sys.stderr is not None:
        print(f"paraply: {text}", file=sys.stderr, flush=True)


def unfinished(tasks: int) -> str:
    """How many tasks are not finished, for people."""
    return f"{tasks} task{'' if tasks == 1 else 's'} not finished"
