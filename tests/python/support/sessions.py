"""What the scheduler knows of other clients."""

from __future__ import annotations

import paraply
from paraply._proto.scheduler.v1 import task_pb2


def is_known(rc: paraply.Client, label: str) -> bool:
    """Whether the scheduler has a session of this label."""
    method = "paraply.scheduler.v1.TaskService/GetSchedulerStatus"
    status = rc._link.call(
        method, task_pb2.GetSchedulerStatusRequest(with_sessions=True), task_pb2.GetSchedulerStatusResponse
    )
    return any(row.label == label for row in status.session_rows)
