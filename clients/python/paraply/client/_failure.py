"""A task's failure, which is data, becomes the exception that users catch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from paraply import error
from paraply._enums import name_of
from paraply._proto.common.v1 import payload_pb2, task_pb2
from paraply._serialize import Encoding, Payload, load_exception

if TYPE_CHECKING:
    from paraply.client._task import Task


class RemoteEngineError(error.RemoteError, error.EngineError):
    """The engine died, or left, with the task. Caught as `RemoteError` and as `EngineError`."""


class RemoteTimeout(error.RemoteError, error.TaskTimeout):
    """The task ran for longer than its `run_timeout`. Caught as `RemoteError` and as `TaskTimeout`."""


class RemoteQueueTimeout(RemoteTimeout, error.DependencyTimeout):
    """The task waited for longer than its `timeout`. Caught as `RemoteError`, `TaskTimeout` and `DependencyTimeout`."""


def exception_of(failure: task_pb2.Failure, task: Task) -> Exception:
    """The exception that getting the task's result raises."""
    kind = failure.kind
    if kind == task_pb2.FAILURE_KIND_ABORTED:
        return error.TaskAborted(task.msg_id)
    info = {"engine_id": task.engine_id, "engine_uuid": task.engine_uuid, "method": task.call.method}
    if failure.HasField("engine_id"):
        info["engine_id"] = failure.engine_id
    if info["engine_id"] is None:
        info = {}
    killed = kind == task_pb2.FAILURE_KIND_CANCELLED and failure.type_name == "EngineError"
    if kind == task_pb2.FAILURE_KIND_ENGINE_LOST or killed:
        text = failure.message or f"Engine {info.get('engine_id', '?')} died while running task {task.msg_id!r}"
        return RemoteEngineError("EngineError", text, failure.traceback or None, info)
    if kind == task_pb2.FAILURE_KIND_QUEUE_TIMEOUT:
        return RemoteQueueTimeout("TaskTimeout", failure.message, failure.traceback or None, info)
    if kind == task_pb2.FAILURE_KIND_RUN_TIMEOUT:
        return RemoteTimeout("TaskTimeout", failure.message, failure.traceback or None, info)
    name = failure.type_name or name_of(task_pb2.FailureKind, kind).removeprefix("FAILURE_KIND_").title()
    return error.RemoteError(name, failure.message, failure.traceback or None, info, original=_original(failure))


def _original(failure: task_pb2.Failure) -> Callable[[], BaseException | None] | None:
    """How to make the exception object, where it came along. Making it imports users' modules, which may wait for the
    cluster, so that it is left to who asks for it.
    """
    payload = failure.exception
    if payload.encoding != payload_pb2.ENCODING_PICKLE5 or payload.HasField("data_blob"):
        return None
    if any(buffer.HasField("blob") for buffer in payload.buffers):
        return None
    buffers = [buffer.inline for buffer in payload.buffers]
    return partial(load_exception, Payload(Encoding.PICKLE5, payload.data, list(buffers), payload.python_version))
