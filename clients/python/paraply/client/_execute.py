"""Source code as the work of a call."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Execute:
    """Source code to execute in the engines' namespaces.

    Args:
        source: The code; IPython syntax where the engine has IPython.
        silent: No execute result, no history, no execution count.
        filename: What tracebacks call the source; empty for a cell.
    """

    source: str
    silent: bool = True
    filename: str = ""
