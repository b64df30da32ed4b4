"""Registers the magics of a view with IPython."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paraply.client._view_direct import DirectView


def activate(view: DirectView, suffix: str = "") -> None:
    """Makes `%px<suffix>` and its like run on `view`. The last view activated has the names without a suffix too."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None:
        warnings.warn("magics are for IPython, which this is not: view.activate() did nothing", stacklevel=3)
        return
    from paraply.client.magics import ParallelMagics

    shell.register_magics(ParallelMagics(shell, view, suffix))
    if suffix:
        shell.register_magics(ParallelMagics(shell, view, ""))
