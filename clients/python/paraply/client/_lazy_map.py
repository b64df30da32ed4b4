"""Maps over sequences that may never end."""

from __future__ import annotations

import contextvars
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from operator import index
from typing import TYPE_CHECKING, Any, SupportsIndex

from paraply import error
from paraply._proto.scheduler.v1 import session_pb2
from paraply._serialize import Function, dump_arguments, dump_function
from paraply.client._wait import Latch

if TYPE_CHECKING:
    from paraply.client._view_balanced import LoadBalancedView
    from paraply.client.asyncresult import AsyncResult


class LazyMapIterator(Iterator[Any]):
    """Iterates over the results of a map, while a thread takes elements and submits them as results are read.

    At most `max_outstanding` tasks are under way, and at most as many again have results that wait to be read. When the
    iterator is gone, no more elements are taken; what was submitted runs on.

    Args:
        max_outstanding: Tasks submitted and not finished at a time; 'auto': as many as the view has engines; 0: no
            limit, and elements are taken whether results are read or not.
    """

    __module__ = "paraply.client.view"

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
        if not isinstance(limit, SupportsIndex) or index(limit) < 0:
            raise ValueError(f"max_outstanding is 'auto' or 0 or more, not {max_outstanding!r}")
        limit = index(limit)
        self._return_exceptions = return_exceptions
        self._process = os.getpid()
        self._feed = _Feed(
            view, dump_function(f), zip(*sequences, strict=False), limit, ordered, portable=view._is_portable(f)
        )
        # The thread knows the feed and not this iterator, so that it can be seen when nobody reads any more.
        weakref.finalize(self, self._feed.stop).atexit = False
        # Calls are made in the context of whoever asks for them, such as a span of theirs.
        run = contextvars.copy_context().run
        threading.Thread(target=run, args=(self._feed.run,), name="paraply-imap", daemon=True).start()

    def __repr__(self) -> str:
        feed = self._feed
        return f"<{type(self).__name__}({feed.function.name}): {feed.submitted} submitted, {feed.read} read>"

    def cancel(self) -> None:
        """Takes no more elements, and aborts the tasks that have not started."""
        self._feed.abort()

    def __iter__(self) -> LazyMapIterator:
        return self

    def __next__(self) -> Any:
        if os.getpid() != self._process:
            raise ConnectionError("this iterator belongs to the parent process: what feeds it is there")
        feed = self._feed
        while (result := feed.first()) is not None:
            # It is waited for where it is: Ctrl-C must not lose it.
            result.wait()
            value: Any = None
            failure: Exception | None = None
            try:
                value = result.get()
            except Exception as raised:  # noqa: BLE001  # raised below, once it counts as read
                failure = raised
            if not feed.take(result):
                continue  # another thread that iterates had it first
            if failure is None:
                return value
            if self._return_exceptions and isinstance(failure, error.RemoteError):
                return failure
            raise failure
        raise StopIteration


class _Feed:
    """What the thread that submits and the iterator share."""

    def __init__(
        self,
        view: LoadBalancedView,
        function: Function,
        items: Iterator[tuple[Any, ...]],
        limit: int,
        ordered: bool,
        *,
        portable: bool,
    ) -> None:
        self.function = function
        self._portable = portable
        #: How many elements were submitted, and how many results were read.
        self.submitted = self.read = 0
        self._view = view
        self._items = items
        self._limit = limit
        self._ordered = ordered
        self._changed = threading.Condition()
        self._running: set[AsyncResult] = set()
        #: To be read: in order of submission, or those that are done in the order in which they were.
        self._waiting: deque[AsyncResult] = deque()
        self._failure: BaseException | None = None
        self._finished = False
        self._stopped = self._aborted = False

    # The thread that submits.

    def run(self) -> None:
        """Takes elements and submits them, until there are no more or nobody wants them."""
        try:
            while self._has_room() and (item := next(self._items, None)) is not None:
                result = self._view._call(self.function, dump_arguments(item, {}, portable=self._portable))
                with self._changed:
                    self.submitted += 1
                    self._running.add(result)
                    if self._ordered:
                        self._waiting.append(result)
                        self._changed.notify_all()
                    late = self._aborted
                if late:
                    self._cancel([result])
                # Not a callback of the result: those wait for each other, and one may iterate over this.
                if not Latch(lambda result=result: self._task_done(result)).attach(result._tasks):  # type: ignore[misc]
                    self._task_done(result)
        except BaseException as failure:  # noqa: BLE001  # whatever the user's iterator raises is raised to who iterates
            self._failure = failure
        finally:
            self._items = iter(())
            with self._changed:
                self._finished = True
                self._changed.notify_all()

    def _has_room(self) -> bool:
        """Waits until one more task may be submitted. Returns whether it should."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or not self._limit or self._may_submit())
            return not self._stopped

    def _may_submit(self) -> bool:
        return len(self._running) < self._limit and self.submitted - self.read < 2 * self._limit

    def _task_done(self, result: AsyncResult) -> None:
        with self._changed:
            self._running.discard(result)
            if not self._ordered:
                self._waiting.append(result)
            self._changed.notify_all()

    # Who iterates.

    def stop(self) -> None:
        """Takes no more elements."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Takes no more elements, and aborts what has not started."""
        with self._changed:
            self._aborted = True
            self.stop()
            running = list(self._running)
        self._cancel(running)

    def _cancel(self, results: list[AsyncResult]) -> None:
        indexes = [task.index for result in results for task in result._tasks]
        self._view.client._link.cancel(indexes, session_pb2.CANCEL_MODE_ABORT)

    def first(self) -> AsyncResult | None:
        """The next result to read, waited for where it is not known yet; None at the end. Raises what the input raised."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_over())
            if self._waiting:
                return self._waiting[0]
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            return None

    def take(self, result: AsyncResult) -> bool:
        """Takes what `first` gave. Returns whether it was still there."""
        with self._changed:
            if not self._waiting or self._waiting[0] is not result:
                return False
            self._waiting.popleft()
            self.read += 1
            self._changed.notify_all()
            return True

    def _is_over(self) -> bool:
        return self._finished and (self._ordered or not self._running)
