"""`concurrent.futures` over a view."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paraply.client._view_base import View


class ViewExecutor(Executor):
    """An executor whose futures are the view's AsyncResults. Shutting it down never stops an engine."""

    __module__ = "paraply.client.view"

    def __init__(self, view: View) -> None:
        self.view = view
        self._max_workers = len(view)
        self._results: list[Any] = []
        self._shut_down = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """`view.apply_async`: the AsyncResult is a future."""
        self._check_open()
        result = self.view.apply_async(fn, *args, **kwargs)
        self._results = [each for each in self._results if not each.done()]
        self._results.append(result)
        return result

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        **options: Any,
    ) -> Iterator[Any]:
        """Results in order, as they come. On a balanced view elements are taken as results are."""
        self._check_open()
        if timeout is not None:
            warnings.warn("timeout is ignored", stacklevel=2)
        if chunksize != 1:
            raise TypeError("map takes no chunksize here: each element is a task, and batching is on the wire")
        return iter(self.view.imap(fn, *iterables, **options))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more work; with `wait`, waits for what was submitted."""
        self._shut_down = True
        if cancel_futures:
            for result in self._results:
                if not result.done():
                    result.abort()
        if wait:
            self.view.client.wait(self._results)
        self._results = []

    def _check_open(self) -> None:
        if self._shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")
