"""Maps over sequences that may never end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from paraply import error
from paraply._serialize import dump_arguments, dump_function

if TYPE_CHECKING:
    from paraply.client._view_balanced import LoadBalancedView
    from paraply.client.asyncresult import AsyncResult


class LazyMapIterator(Iterator[Any]):
    """Iterates over the results of a map, while a thread takes elements and submits them as results come in.

    Args:
        max_outstanding: Tasks submitted and not finished at a time; 'auto': as many as the view has engines; 0: no limit.
    """

    def __init__(
        self,
        view: LoadBalancedView,
        f: Callable[..., Any],
        sequences: Sequence[Any],
        *,
        ordered: bool,
        max_outstanding: int | str,
        return_exceptions: bool,
    ) -> None:
        if not sequences:
            raise AssertionError("must have some sequences to map onto!")
        limit = max(len(view), 1) if max_outstanding == "auto" else max_outstanding
        if not isinstance(limit, int) or limit < 0:
            raise ValueError(f"max_outstanding is 'auto' or 0 or more, not {max_outstanding!r}")
        self._view = view
        self._function = dump_function(f)
        self._items = zip(*sequences, strict=False)
        self._limit = limit
        self._ordered = ordered
        self._return_exceptions = return_exceptions
        self._changed = threading.Condition()
        self._running = 0
        self._waiting: deque[AsyncResult] = deque()
        self._failure: BaseException | None = None
        self._finished = False
        self._cancelled = False
        threading.Thread(target=self._consume, name="paraply-imap", daemon=True).start()

    def _consume(self) -> None:
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._cancelled or not self._limit or self._running < self._limit)
                    if self._cancelled:
                        break
                item = next(self._items, None)  # a tuple, so never None while there is one
                if item is None:
                    break
                result = self._view._call(self._function, dump_arguments(item, {}))
                with self._changed:
                    self._running += 1
                    if self._ordered:
                        self._waiting.append(result)
                        self._changed.notify_all()
                result.add_done_callback(self._task_done)
        except BaseException as failure:  # noqa: BLE001  # whatever the user's iterator raises is raised to who iterates
            self._failure = failure
        finally:
            with self._changed:
                self._finished = True
                self._changed.notify_all()

    def _task_done(self, result: Any) -> None:
        with self._changed:
            self._running -= 1
            if not self._ordered:
                self._waiting.append(result)
            self._changed.notify_all()

    def cancel(self) -> None:
        """Takes no more elements, and aborts the tasks that have not started."""
        with self._changed:
            self._cancelled = True
            waiting = [result for result in self._waiting if not result.done()]
            self._changed.notify_all()
        for result in waiting:
            result.abort()

    def __iter__(self) -> LazyMapIterator:
        return self

    def __next__(self) -> Any:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._over())
            if not self._waiting:
                if self._failure is not None:
                    failure, self._failure = self._failure, None
                    raise failure
                raise StopIteration
            result = self._waiting.popleft()
        try:
            return result.get()
        except error.RemoteError as failure:
            if self._return_exceptions:
                return failure
            raise

    def _over(self) -> bool:
        return self._finished and (self._ordered or self._running == 0)
