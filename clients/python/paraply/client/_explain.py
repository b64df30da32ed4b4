"""Where tasks are, and why: what the scheduler says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from paraply._proto.common.v1 import task_pb2 as common_pb2
from paraply._proto.scheduler.v1 import task_pb2
from paraply._transport.base import TransportError

if TYPE_CHECKING:
    from paraply._link import Link
    from paraply.client._task import Task

#: Tasks that are told of one by one, and seconds that the scheduler may take to say.
_NAMED, _PATIENCE = 4, 1.0
_GET_TASKS = "paraply.scheduler.v1.TaskService/GetTasks"
_STATES = {
    common_pb2.TASK_STATE_WAITING: "waiting",
    common_pb2.TASK_STATE_QUEUED: "queued",
    common_pb2.TASK_STATE_ASSIGNED: "assigned",
    common_pb2.TASK_STATE_CLAIMED: "running",
    common_pb2.TASK_STATE_FINISHED: "finished",
    common_pb2.TASK_STATE_DELIVERED: "delivered",
}


def explain(tasks: Sequence[Task]) -> str:
    """Says of the first tasks that are not finished where they are, and why."""
    left = [task for task in tasks if not task.done()]
    if not left:
        return "All tasks are finished."
    count = f"{len(left)} of {len(tasks)} tasks are not finished"
    named = left[:_NAMED]
    found: dict[str, task_pb2.TaskStatus] = {}
    try:
        # Tasks of joined results may be of several clients.
        for link in {task.call.link for task in named}:
            ids = [task_id_of(task.msg_id) for task in named if task.call.link is link]
            found |= get_tasks(link, ids, timeout=_PATIENCE)
    except (TransportError, OSError) as failure:
        return f"{count}; the scheduler does not say why: {failure}"
    lines = [_line(task, found.get(task.msg_id)) for task in named]
    if len(tasks) == 1:
        return lines[0]
    if len(left) > _NAMED:
        lines.append(f"and {len(left) - _NAMED} more")
    return "\n  ".join([f"{count}:", *lines])


def get_tasks(
    link: Link, task_ids: Sequence[common_pb2.TaskId], *, with_outcomes: bool = False, timeout: float = 10.0
) -> dict[str, task_pb2.TaskStatus]:
    """Asks the scheduler for tasks of any session, at most 1,000 at once. Those that it does not know are left out.

    Raises:
        TransportError: The call failed.
        OSError: The link is closed or lost.
    """
    request = task_pb2.GetTasksRequest(task_ids=task_ids, with_outcomes=with_outcomes)
    answer = link.call(_GET_TASKS, request, task_pb2.GetTasksResponse, timeout)
    return {msg_id_of(status.task_id): status for status in answer.tasks}


def task_id_of(msg_id: str) -> common_pb2.TaskId:
    """The task of a message id. Raises ValueError if it is none."""
    session, _, index = msg_id.rpartition("_")
    try:
        return common_pb2.TaskId(session_id=bytes.fromhex(session), index=int(index))
    except ValueError:
        raise ValueError(f"{msg_id!r} is not the message id of a task") from None


def msg_id_of(task_id: common_pb2.TaskId) -> str:
    """The message id of a task."""
    return f"{task_id.session_id.hex()}_{task_id.index}"


def _line(task: Task, status: task_pb2.TaskStatus | None) -> str:
    name = f"{task.call.name or 'task'} {task.msg_id}"
    if status is None:
        return f"{name} has not reached the scheduler, or is over and forgotten"
    return f"{name} is {_STATES.get(status.state, 'in an unknown state')}: {status.why}"
