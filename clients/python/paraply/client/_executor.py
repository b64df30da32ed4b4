"""`concurrent.futures` over a view."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from paraply.client._wait import Latch

if TYPE_CHECKING:
    from paraply.client._view_base import View


class ViewExecutor(Executor):
    """An executor whose futures are the view's AsyncResults. Shutting it down never stops an engine."""

    __module__ = "paraply.client.view"

    def __init__(self, view: View) -> None:
        self.view = view
        self._max_workers = len(view)
        self._lock = threading.Lock()
        #: Those that are not done.
        self._results: set[Any] = set()
        self._shut_down = False

    def __repr__(self) -> str:
        state = "shut down" if self._shut_down else f"{len(self._results)} outstanding"
        return f"<{type(self).__name__} of {self.view!r}: {state}>"

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """`view.apply_async`: the AsyncResult is a future. Raises RuntimeError after `shutdown`."""
        with self._lock:
            self._check_open()
        result = self.view.apply_async(fn, *args, **kwargs)
        with self._lock:
            self._results.add(result)
        if not Latch(lambda: self._forget(result)).attach(result._tasks):
            self._forget(result)
        return result

    def _forget(self, result: Any) -> None:
        with self._lock:
            self._results.discard(result)

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        **options: Any,
    ) -> Iterator[Any]:
        """Results in order, as they come. On a balanced view elements are taken as results are.

        Raises:
            RuntimeError: It was shut down.
            TypeError: `chunksize` is given.
        """
        self._check_open()
        if timeout is not None:
            warnings.warn("timeout is ignored", stacklevel=2)
        if chunksize != 1:
            raise TypeError("map takes no chunksize here: each element is a task, and batching is on the wire")
        return iter(self.view.imap(fn, *iterables, **options))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more work; with `wait`, waits for what was submitted, with `cancel_futures` after it was aborted."""
        with self._lock:
            self._shut_down = True
            results = list(self._results)
        if cancel_futures and results:
            self.view.client.abort(results)
        if wait:
            self.view.client.wait(results)

    def _check_open(self) -> None:
        if self._shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")
