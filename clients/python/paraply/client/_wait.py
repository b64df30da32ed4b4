"""Waiting for tasks. Waits block on a lock of their own, so that Ctrl-C ends them at once on the main thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paraply._proto.scheduler.v1.session_pb2 import TaskFinished
    from paraply.client._task import Task

#: Held while tasks become done and while latches are attached to them: never for longer than one batch.
completion = threading.Lock()


class Latch:
    """Counts tasks down, then does one thing: `fire`, on the thread that brought the last result.

    Args:
        fire: Called once, without any lock held. It must not block.
        first_failure: One failed task is enough.
    """

    __slots__ = ("_pending", "fire", "first_failure")

    def __init__(self, fire: Callable[[], object], *, first_failure: bool = False) -> None:
        self.fire = fire
        self.first_failure = first_failure
        self._pending = 0

    def attach(self, tasks: Sequence[Task]) -> bool:
        """Counts those of `tasks` that are not done. Returns whether there is anything to wait for."""
        with completion:
            if self.first_failure and any(task.failed() for task in tasks):
                return False
            waiting = [task for task in tasks if not task.done()]
            for task in waiting:
                task.watch(self)
            self._pending = len(waiting)
        return bool(waiting)

    def detach(self, tasks: Sequence[Task]) -> None:
        """Stops counting."""
        with completion:
            for task in tasks:
                task.unwatch(self)

    def count_down(self, failed: bool) -> bool:
        """Takes note of one task that is done. Returns whether it is time to fire. `completion` is held."""
        self._pending -= 1
        if failed and self.first_failure and self._pending >= 0:
            self._pending = 0
        return self._pending == 0


def complete(finished: Iterable[tuple[Task, TaskFinished]], received: float) -> None:
    """Takes results that arrived together, and wakes who waits for them."""
    fired: list[Latch] = []
    with completion:
        for task, event in finished:
            task.finish(event, received)
            _count_down(task, fired)
    for latch in fired:
        latch.fire()


def fail(tasks: Iterable[Task], exception: Exception, received: float) -> None:
    """Gives up tasks for a reason found at this end, and wakes who waits for them."""
    fired: list[Latch] = []
    with completion:
        for task in tasks:
            task.fail(exception, received)
            _count_down(task, fired)
    for latch in fired:
        latch.fire()


def orphan(tasks: Iterable[Task], exception: Exception) -> None:
    """In a forked child: gives up tasks that only the parent will hear of. Who waits for them is not here either."""
    completion._at_fork_reinit()  # type: ignore[attr-defined]
    for task in tasks:
        if not task.done():
            task.fail(exception, 0.0)
            task.take_latches()


def _count_down(task: Task, fired: list[Latch]) -> None:
    for latch in task.take_latches():
        if latch.count_down(task.failed()):
            fired.append(latch)


def wait_for(tasks: Sequence[Task], timeout: float | None = None, *, first_failure: bool = False) -> bool:
    """Waits until all of `tasks` are done, at most `timeout` seconds (None: for ever). Returns whether they are.

    With `first_failure` the wait also ends, with True, when one of them has failed.
    """
    if timeout is not None and timeout <= 0:
        return all(task.done() for task in tasks) or (first_failure and any(task.failed() for task in tasks))
    gate = threading.Lock()
    gate.acquire()
    latch = Latch(gate.release, first_failure=first_failure)
    if not latch.attach(tasks):
        return True
    opened = False
    try:
        opened = gate.acquire(timeout=-1 if timeout is None else min(timeout, threading.TIMEOUT_MAX))
    finally:
        if not opened:
            latch.detach(tasks)
    return opened


if hasattr(os, "register_at_fork"):
    # The thread that held it, if one did, is not in the child.
    os.register_at_fork(after_in_child=completion._at_fork_reinit)  # type: ignore[attr-defined]
