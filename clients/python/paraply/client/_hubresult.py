"""Results of tasks that are not in this client's hands: another client's, or its own after they were forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from paraply import error
from paraply._proto.common.v1 import task_pb2 as common_pb2
from paraply._proto.scheduler.v1 import session_pb2
from paraply._transport.base import TransportError
from paraply.client import _wait
from paraply.client._explain import get_tasks, msg_id_of, task_id_of
from paraply.client._result import AsyncResult
from paraply.client._task import SubmittedCall, Task

if TYPE_CHECKING:
    from paraply._link import Link
    from paraply.client.client import Client

#: Seconds between questions, and tasks in one.
INTERVAL, TASKS = 0.1, 1000
#: Seconds after which a task that the scheduler does not know is none: its call may be on its way there.
UNKNOWN = 1.0
#: Why there is no result that nobody holds, and what to do.
_NOT_KEPT = (
    "results are not kept at the cluster yet, and this client has no AsyncResult of this task any more: keep the "
    "AsyncResult of a call whose result is wanted later"
)


class AsyncHubResult(AsyncResult):
    """Results of tasks of any session, which the scheduler is asked for again and again.

    Args:
        client: Who asks.
        msg_ids: The tasks.
        single: There is one, and its result is the value.
    """

    __module__ = "paraply.client.asyncresult"

    def __init__(self, client: Client, msg_ids: Sequence[str], *, single: bool = False) -> None:
        tasks = [ForeignTask(client._link, msg_id) for msg_id in msg_ids]
        super().__init__(client, tasks, fname="get_result", single=single)
        _ask_first(client._link, tasks)
        threading.Thread(target=_ask_until_done, args=(client._link, tasks), name="paraply-hub", daemon=True).start()

    def cancel(self, kill_after: float | None = None) -> bool:
        """False once they are done. Raises NotImplementedError before: a session's tasks are cancelled by its own client."""
        if self.done():
            return False
        raise NotImplementedError("tasks of another client, or that this one has forgotten, cannot be cancelled yet")


class ForeignTask(Task):
    """A task of another session."""

    __slots__ = ("_msg_id", "asked", "task_id")

    def __init__(self, link: Link, msg_id: str) -> None:
        self.task_id = task_id_of(msg_id)
        call = SubmittedCall(link, name="get_result", label="", method="apply", body=b"", places=[])
        super().__init__(call, 0)
        self._msg_id = msg_id
        #: When it was first asked for, in seconds of the monotonic clock.
        self.asked = time.monotonic()

    @property
    def msg_id(self) -> str:
        """Its name."""
        return self._msg_id


def _ask_first(link: Link, tasks: list[ForeignTask]) -> None:
    """Asks once while the user waits, so that a scheduler that does not answer such questions is known at once."""
    try:
        _ask(link, tasks[:TASKS])
    except TransportError as failure:
        if failure.code == "UNIMPLEMENTED":
            raise NotImplementedError(f"{_NOT_KEPT}: {tasks[0].msg_id}") from None


def _ask_until_done(link: Link, tasks: list[ForeignTask]) -> None:
    while waiting := [task for task in tasks if not task.done()]:
        try:
            for first in range(0, len(waiting), TASKS):
                _ask(link, waiting[first : first + TASKS])
        except TransportError as failure:
            if failure.code != "UNAVAILABLE":
                _wait.fail(waiting, ConnectionError(f"GetTasks failed: {failure}"), time.time())
                return
        except ConnectionError as lost:
            _wait.fail(waiting, lost, time.time())
            return
        time.sleep(INTERVAL)


def _ask(link: Link, tasks: list[ForeignTask]) -> None:
    states = get_tasks(link, [task.task_id for task in tasks], with_outcomes=True)
    for task in tasks:
        status = states.get(msg_id_of(task.task_id))
        if status is None:
            if time.monotonic() - task.asked >= UNKNOWN:
                _give_up(task, "No such message")
        elif status.HasField("outcome"):
            engine = status.engine_id if status.HasField("engine_id") else None
            finished = session_pb2.TaskFinished(attempt=status.attempt, engine_id=engine, outcome=status.outcome)
            _wait.complete([(task, finished)], time.time())
        elif status.state == common_pb2.TASK_STATE_DELIVERED:
            _give_up(task, "The result was delivered to the client that asked for it, and is not kept")


def _give_up(task: ForeignTask, why: str) -> None:
    _wait.fail([task], error.RemoteError("KeyError", f"{why}: {task.msg_id}"), time.time())
