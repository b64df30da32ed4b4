"""Progress bars. tqdm is imported when the first one is shown."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any


def wait_with_bar(
    wait: Callable[[float], bool],
    progress: Callable[[], int],
    *,
    total: int,
    description: str,
    unit: str,
    interval: float,
    timeout: float,
    widget: bool | None = None,
) -> bool:
    """Shows a bar until `wait` says that it is over.

    Args:
        wait: Waits at most so many seconds. Returns whether it is over.
        progress: How much of `total` is done.
        interval: Seconds between updates.
        timeout: Seconds; negative for ever.

    Returns:
        Whether it is over; False if the time was over first.
    """
    if wait(0):
        return True
    end = None if timeout < 0 else time.monotonic() + timeout
    with _bar_type(widget)(total=total, desc=description, unit=unit, file=None) as bar:
        while True:
            left = interval if end is None else min(interval, end - time.monotonic())
            over = wait(max(left, 0))
            bar.update(progress() - bar.n)
            if over:
                return True
            if end is not None and time.monotonic() >= end:
                return False


def _bar_type(widget: bool | None) -> Any:
    if widget is None:
        widget = _in_notebook()
    if widget:
        from tqdm.notebook import tqdm_notebook

        return tqdm_notebook
    from tqdm import tqdm

    return tqdm


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel") and "ipywidgets" in sys.modules


def is_interactive() -> bool:
    """Whether a person watches: at a prompt, in a notebook, or at a terminal that shows standard error."""
    if hasattr(sys, "ps1"):
        return True
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        return True
    return sys.stderr is not None and sys.stderr.isatty()
