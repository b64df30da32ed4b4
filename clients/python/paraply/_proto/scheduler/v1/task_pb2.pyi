from paraply._proto.common.v1 import peer_pb2 as _peer_pb2
from paraply._proto.common.v1 import task_pb2 as _task_pb2
from paraply._proto.scheduler.v1 import session_pb2 as _session_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WatchSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    def __init__(self, session_id: _Optional[bytes] = ...) -> None: ...

class WatchSessionResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_session_pb2.Event]
    def __init__(self, events: _Optional[_Iterable[_Union[_session_pb2.Event, _Mapping]]] = ...) -> None: ...

class GetTasksRequest(_message.Message):
    __slots__ = ("task_ids", "with_outcomes")
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    WITH_OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    task_ids: _containers.RepeatedCompositeFieldContainer[_task_pb2.TaskId]
    with_outcomes: bool
    def __init__(self, task_ids: _Optional[_Iterable[_Union[_task_pb2.TaskId, _Mapping]]] = ..., with_outcomes: bool = ...) -> None: ...

class GetTasksResponse(_message.Message):
    __slots__ = ("tasks",)
    TASKS_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[TaskStatus]
    def __init__(self, tasks: _Optional[_Iterable[_Union[TaskStatus, _Mapping]]] = ...) -> None: ...

class TaskStatus(_message.Message):
    __slots__ = ("task_id", "state", "attempt", "engine_id", "outcome", "label", "name", "why", "times", "failure")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    task_id: _task_pb2.TaskId
    state: _task_pb2.TaskState
    attempt: int
    engine_id: int
    outcome: _task_pb2.Outcome
    label: str
    name: str
    why: str
    times: TaskTimes
    failure: _task_pb2.FailureKind
    def __init__(self, task_id: _Optional[_Union[_task_pb2.TaskId, _Mapping]] = ..., state: _Optional[_Union[_task_pb2.TaskState, str]] = ..., attempt: _Optional[int] = ..., engine_id: _Optional[int] = ..., outcome: _Optional[_Union[_task_pb2.Outcome, _Mapping]] = ..., label: _Optional[str] = ..., name: _Optional[str] = ..., why: _Optional[str] = ..., times: _Optional[_Union[TaskTimes, _Mapping]] = ..., failure: _Optional[_Union[_task_pb2.FailureKind, str]] = ...) -> None: ...

class TaskTimes(_message.Message):
    __slots__ = ("accepted_unix_nanos", "claimed_unix_nanos", "started_unix_nanos", "finished_unix_nanos")
    ACCEPTED_UNIX_NANOS_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_UNIX_NANOS_FIELD_NUMBER: _ClassVar[int]
    STARTED_UNIX_NANOS_FIELD_NUMBER: _ClassVar[int]
    FINISHED_UNIX_NANOS_FIELD_NUMBER: _ClassVar[int]
    accepted_unix_nanos: int
    claimed_unix_nanos: int
    started_unix_nanos: int
    finished_unix_nanos: int
    def __init__(self, accepted_unix_nanos: _Optional[int] = ..., claimed_unix_nanos: _Optional[int] = ..., started_unix_nanos: _Optional[int] = ..., finished_unix_nanos: _Optional[int] = ...) -> None: ...

class ListTasksRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "session_id")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    session_id: bytes
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., session_id: _Optional[bytes] = ...) -> None: ...

class ListTasksResponse(_message.Message):
    __slots__ = ("tasks", "next_page_token")
    TASKS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[TaskStatus]
    next_page_token: str
    def __init__(self, tasks: _Optional[_Iterable[_Union[TaskStatus, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PurgeTasksRequest(_message.Message):
    __slots__ = ("task_ids",)
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    task_ids: _containers.RepeatedCompositeFieldContainer[_task_pb2.TaskId]
    def __init__(self, task_ids: _Optional[_Iterable[_Union[_task_pb2.TaskId, _Mapping]]] = ...) -> None: ...

class PurgeTasksResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CancelTasksRequest(_message.Message):
    __slots__ = ("task_ids", "mode")
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    task_ids: _containers.RepeatedCompositeFieldContainer[_task_pb2.TaskId]
    mode: _session_pb2.CancelMode
    def __init__(self, task_ids: _Optional[_Iterable[_Union[_task_pb2.TaskId, _Mapping]]] = ..., mode: _Optional[_Union[_session_pb2.CancelMode, str]] = ...) -> None: ...

class CancelTasksResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RunTaskRequest(_message.Message):
    __slots__ = ("function", "arguments_json", "engine_id", "timeout_millis", "label")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MILLIS_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    function: str
    arguments_json: str
    engine_id: int
    timeout_millis: int
    label: str
    def __init__(self, function: _Optional[str] = ..., arguments_json: _Optional[str] = ..., engine_id: _Optional[int] = ..., timeout_millis: _Optional[int] = ..., label: _Optional[str] = ...) -> None: ...

class RunTaskResponse(_message.Message):
    __slots__ = ("result_json", "failure", "stdout", "stderr", "dropped_output_bytes", "engine_id", "task_id")
    RESULT_JSON_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    STDOUT_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    DROPPED_OUTPUT_BYTES_FIELD_NUMBER: _ClassVar[int]
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    result_json: str
    failure: _task_pb2.Failure
    stdout: str
    stderr: str
    dropped_output_bytes: int
    engine_id: int
    task_id: _task_pb2.TaskId
    def __init__(self, result_json: _Optional[str] = ..., failure: _Optional[_Union[_task_pb2.Failure, _Mapping]] = ..., stdout: _Optional[str] = ..., stderr: _Optional[str] = ..., dropped_output_bytes: _Optional[int] = ..., engine_id: _Optional[int] = ..., task_id: _Optional[_Union[_task_pb2.TaskId, _Mapping]] = ...) -> None: ...

class RunTaskStreamRequest(_message.Message):
    __slots__ = ("function", "arguments_json", "engine_id", "timeout_millis", "label")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MILLIS_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    function: str
    arguments_json: str
    engine_id: int
    timeout_millis: int
    label: str
    def __init__(self, function: _Optional[str] = ..., arguments_json: _Optional[str] = ..., engine_id: _Optional[int] = ..., timeout_millis: _Optional[int] = ..., label: _Optional[str] = ...) -> None: ...

class RunTaskStreamResponse(_message.Message):
    __slots__ = ("accepted", "output", "finished")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    accepted: _task_pb2.TaskId
    output: WrittenText
    finished: RunTaskResponse
    def __init__(self, accepted: _Optional[_Union[_task_pb2.TaskId, _Mapping]] = ..., output: _Optional[_Union[WrittenText, _Mapping]] = ..., finished: _Optional[_Union[RunTaskResponse, _Mapping]] = ...) -> None: ...

class WrittenText(_message.Message):
    __slots__ = ("kind", "text", "dropped_bytes")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DROPPED_BYTES_FIELD_NUMBER: _ClassVar[int]
    kind: _task_pb2.OutputKind
    text: str
    dropped_bytes: int
    def __init__(self, kind: _Optional[_Union[_task_pb2.OutputKind, str]] = ..., text: _Optional[str] = ..., dropped_bytes: _Optional[int] = ...) -> None: ...

class GetSchedulerStatusRequest(_message.Message):
    __slots__ = ("with_sessions", "longest_running")
    WITH_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    LONGEST_RUNNING_FIELD_NUMBER: _ClassVar[int]
    with_sessions: bool
    longest_running: int
    def __init__(self, with_sessions: bool = ..., longest_running: _Optional[int] = ...) -> None: ...

class GetSchedulerStatusResponse(_message.Message):
    __slots__ = ("scheduler", "epoch", "recovering", "engines", "unassigned_tasks", "sessions", "session_rows", "completed_tasks", "held_bytes", "limits", "running_tasks")
    SCHEDULER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    RECOVERING_FIELD_NUMBER: _ClassVar[int]
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    UNASSIGNED_TASKS_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    SESSION_ROWS_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_TASKS_FIELD_NUMBER: _ClassVar[int]
    HELD_BYTES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_TASKS_FIELD_NUMBER: _ClassVar[int]
    scheduler: _peer_pb2.PeerInfo
    epoch: int
    recovering: bool
    engines: _containers.RepeatedCompositeFieldContainer[EngineQueue]
    unassigned_tasks: int
    sessions: int
    session_rows: _containers.RepeatedCompositeFieldContainer[SessionStatus]
    completed_tasks: int
    held_bytes: int
    limits: _peer_pb2.Limits
    running_tasks: _containers.RepeatedCompositeFieldContainer[RunningTask]
    def __init__(self, scheduler: _Optional[_Union[_peer_pb2.PeerInfo, _Mapping]] = ..., epoch: _Optional[int] = ..., recovering: bool = ..., engines: _Optional[_Iterable[_Union[EngineQueue, _Mapping]]] = ..., unassigned_tasks: _Optional[int] = ..., sessions: _Optional[int] = ..., session_rows: _Optional[_Iterable[_Union[SessionStatus, _Mapping]]] = ..., completed_tasks: _Optional[int] = ..., held_bytes: _Optional[int] = ..., limits: _Optional[_Union[_peer_pb2.Limits, _Mapping]] = ..., running_tasks: _Optional[_Iterable[_Union[RunningTask, _Mapping]]] = ...) -> None: ...

class RunningTask(_message.Message):
    __slots__ = ("attempt_id", "engine_id", "label", "name", "claimed_unix_nanos")
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_UNIX_NANOS_FIELD_NUMBER: _ClassVar[int]
    attempt_id: _task_pb2.AttemptId
    engine_id: int
    label: str
    name: str
    claimed_unix_nanos: int
    def __init__(self, attempt_id: _Optional[_Union[_task_pb2.AttemptId, _Mapping]] = ..., engine_id: _Optional[int] = ..., label: _Optional[str] = ..., name: _Optional[str] = ..., claimed_unix_nanos: _Optional[int] = ...) -> None: ...

class EngineQueue(_message.Message):
    __slots__ = ("engine", "queued_tasks", "claimed_tasks", "completed_tasks")
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    QUEUED_TASKS_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_TASKS_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_TASKS_FIELD_NUMBER: _ClassVar[int]
    engine: _peer_pb2.Engine
    queued_tasks: int
    claimed_tasks: int
    completed_tasks: int
    def __init__(self, engine: _Optional[_Union[_peer_pb2.Engine, _Mapping]] = ..., queued_tasks: _Optional[int] = ..., claimed_tasks: _Optional[int] = ..., completed_tasks: _Optional[int] = ...) -> None: ...

class SessionStatus(_message.Message):
    __slots__ = ("session_id", "label", "connected", "outstanding_tasks", "held_bytes")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    OUTSTANDING_TASKS_FIELD_NUMBER: _ClassVar[int]
    HELD_BYTES_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    label: str
    connected: bool
    outstanding_tasks: int
    held_bytes: int
    def __init__(self, session_id: _Optional[bytes] = ..., label: _Optional[str] = ..., connected: bool = ..., outstanding_tasks: _Optional[int] = ..., held_bytes: _Optional[int] = ...) -> None: ...
