"""Stopping tasks that run, and telling the user of those that do not stop."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from paraply._notice import say
from paraply._proto.scheduler.v1 import session_pb2
from paraply.client._wait import wait_for

if TYPE_CHECKING:
    from paraply._link import Link
    from paraply.client._task import Task

#: Seconds that interrupted tasks may take to stop before the user is told.
PATIENCE = 2.0
#: Tasks that are named; of the others only the number is told.
_NAMED = 4


def cancel(tasks: Sequence[Task], kill_after: float | None) -> bool:
    """Cancels those of `tasks` that are not done: queued ones never start, running ones are interrupted.

    Args:
        kill_after: Seconds after which the engine process of a task that has not stopped is ended; None: never.

    Returns:
        Whether there was anything left to cancel.

    Raises:
        ValueError: `kill_after` is negative.
    """
    if kill_after is not None and kill_after < 0:
        raise ValueError(f"kill_after is 0 or more seconds, not {kill_after}")
    left = [task for task in tasks if not task.done()]
    if not left:
        return False
    indexes: dict[Link, list[int]] = {}
    for task in left:  # joined results may be of several clients
        indexes.setdefault(task.call.link, []).append(task.index)
    for link, of_link in indexes.items():
        link.cancel(of_link, session_pb2.CANCEL_MODE_INTERRUPT, kill_after)
    if kill_after is None:
        _overdue.watch(left)
    return True


class Overdue:
    """Tells the user, once for each cancel, which tasks were interrupted and still run."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Starts anew, also in a forked child, which has no thread and none of the tasks."""
        self._lock = threading.Lock()
        self._watched: deque[tuple[float, list[Task]]] = deque()

    def watch(self, tasks: list[Task]) -> None:
        """Looks at `tasks` again in a while."""
        with self._lock:
            self._watched.append((time.monotonic() + PATIENCE, tasks))
            if len(self._watched) == 1:
                threading.Thread(target=self._run, name="paraply-cancelled", daemon=True).start()

    def _run(self) -> None:
        while True:
            due, tasks = self._watched[0]
            wait_for(tasks, max(due - time.monotonic(), 0))
            late: list[Task] = []
            with self._lock:
                # Those that were cancelled in the same breath go into the same line.
                now = time.monotonic()
                while self._watched and (self._watched[0][0] <= now or _done(self._watched[0][1])):
                    late += [task for task in self._watched.popleft()[1] if not task.done()]
                over = not self._watched
            if late:
                say(_report(late))
            if over:
                return


def _done(tasks: list[Task]) -> bool:
    return all(task.done() for task in tasks)


def _report(tasks: list[Task]) -> str:
    named = [f"{task.call.name or 'task'} {task.msg_id} on engine {_engine(task)}" for task in tasks[:_NAMED]]
    if len(tasks) > _NAMED:
        named.append(f"and {len(tasks) - _NAMED} more")
    ends = "ends it, and its engine" if len(tasks) == 1 else "ends them, and their engines"
    return f"interrupted and still running: {', '.join(named)}; cancel(kill_after=1) {ends}"


def _engine(task: Task) -> str:
    return "?" if task.engine_id is None else str(task.engine_id)


_overdue = Overdue()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_overdue.reset)
