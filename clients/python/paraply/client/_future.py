"""Tasks as one `concurrent.futures.Future`, whose machinery is made only when somebody uses it."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from paraply._workers import callbacks
from paraply.client._wait import Latch, wait_for

if TYPE_CHECKING:
    from paraply.client._task import Task

_FINISHED = "FINISHED"
_making = threading.Lock()
_log = logging.getLogger("concurrent.futures")


class TasksFuture(Future[Any]):
    """A future that is done when all its tasks are.

    `concurrent.futures.wait` and `as_completed` look at a future's private parts: they are here as properties.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        # Future.__init__ would make a lock for each of many thousands of futures that nobody waits for.
        self._tasks = list(tasks)
        #: Tasks before it are done.
        self._done_up_to = 0
        self._machinery: _Machinery | None = None

    # State.

    def done(self) -> bool:
        """Whether all tasks are done."""
        tasks = self._tasks
        position = self._done_up_to
        while position < len(tasks) and tasks[position].done():
            position += 1
        self._done_up_to = position
        return position == len(tasks)

    def running(self) -> bool:
        """Whether an engine has said that it has started one of the tasks."""
        return any(not task.done() and task.attempt for task in self._tasks)

    def cancelled(self) -> bool:
        """False: a task that was cancelled fails with `TaskAborted`."""
        return False

    def _unfinished(self) -> Sequence[Task]:
        return self._tasks[self._done_up_to :] if self._done_up_to else self._tasks

    def _wait(self, timeout: float | None, *, first_failure: bool = False) -> bool:
        """Waits for the tasks. None and negative numbers are for ever."""
        if timeout is not None and timeout < 0:
            timeout = None
        if first_failure:
            return wait_for(self._tasks, timeout, first_failure=True)
        return self.done() or wait_for(self._unfinished(), timeout)

    # Callbacks.

    def add_done_callback(self, fn: Callable[[Future[Any]], object]) -> None:
        """Has `fn(self)` called when all tasks are done, on a thread for callbacks; here and now if they are done."""
        machinery = self._made()
        with machinery.condition:
            if machinery.state != _FINISHED:
                machinery.callbacks.append(fn)
                return
        try:
            fn(self)
        except Exception:  # noqa: BLE001  # users' code; as futures of the standard library do
            _log.exception("exception calling callback for %r", self)

    def _made(self) -> _Machinery:
        with _making:
            made = self._machinery
            if made is not None and made.process == os.getpid():
                return made
            # In a forked child the parent's would wait for a thread that is not here.
            made = self._machinery = _Machinery()
        latch = Latch(self._settle)
        if not latch.attach(self._tasks):
            self._settle()
        return made

    def _settle(self) -> None:
        machinery = self._machinery
        assert machinery is not None
        with machinery.condition:
            machinery.state = _FINISHED
            called, machinery.callbacks = machinery.callbacks, []
            failed = any(task.failed() for task in self._tasks)
            for waiter in machinery.waiters:
                if failed:
                    waiter.add_exception(self)
                else:
                    waiter.add_result(self)
            machinery.condition.notify_all()
        for fn in called:
            callbacks.run(lambda fn=fn: fn(self))  # type: ignore[misc]  # a default argument keeps the loop's value

    # What `concurrent.futures` looks at.

    @property
    def _condition(self) -> threading.Condition:  # type: ignore[override]
        return self._made().condition

    @property
    def _state(self) -> str:  # type: ignore[override]
        return self._made().state

    @property
    def _waiters(self) -> list[Any]:  # type: ignore[override]
        return self._made().waiters

    def _get_snapshot(self) -> tuple[bool, bool, Any, BaseException | None]:
        """Done, cancelled, result, failure: what `asyncio` asks from Python 3.14 on."""
        if not self.done():
            return False, False, None, None
        failure = self.exception()
        return True, False, None if failure else self.result(), failure

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.wrap_future(self).__await__()


class _Machinery:
    __slots__ = ("callbacks", "condition", "process", "state", "waiters")

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.process = os.getpid()
        self.state = "PENDING"
        self.waiters: list[Any] = []
        self.callbacks: list[Callable[[Future[Any]], object]] = []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_making._at_fork_reinit)  # type: ignore[attr-defined]
