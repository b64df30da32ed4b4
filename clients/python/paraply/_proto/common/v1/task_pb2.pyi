from paraply._proto.common.v1 import payload_pb2 as _payload_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TaskState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_STATE_UNSPECIFIED: _ClassVar[TaskState]
    TASK_STATE_WAITING: _ClassVar[TaskState]
    TASK_STATE_QUEUED: _ClassVar[TaskState]
    TASK_STATE_ASSIGNED: _ClassVar[TaskState]
    TASK_STATE_CLAIMED: _ClassVar[TaskState]
    TASK_STATE_FINISHED: _ClassVar[TaskState]
    TASK_STATE_DELIVERED: _ClassVar[TaskState]

class FailureKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_KIND_UNSPECIFIED: _ClassVar[FailureKind]
    FAILURE_KIND_EXCEPTION: _ClassVar[FailureKind]
    FAILURE_KIND_ENGINE_LOST: _ClassVar[FailureKind]
    FAILURE_KIND_ABORTED: _ClassVar[FailureKind]
    FAILURE_KIND_QUEUE_TIMEOUT: _ClassVar[FailureKind]
    FAILURE_KIND_RUN_TIMEOUT: _ClassVar[FailureKind]
    FAILURE_KIND_UNREADABLE: _ClassVar[FailureKind]
    FAILURE_KIND_REFUSED: _ClassVar[FailureKind]
    FAILURE_KIND_CANCELLED: _ClassVar[FailureKind]

class OutputKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTPUT_KIND_UNSPECIFIED: _ClassVar[OutputKind]
    OUTPUT_KIND_STDOUT: _ClassVar[OutputKind]
    OUTPUT_KIND_STDERR: _ClassVar[OutputKind]
    OUTPUT_KIND_DISPLAY_DATA: _ClassVar[OutputKind]
    OUTPUT_KIND_EXECUTE_RESULT: _ClassVar[OutputKind]
    OUTPUT_KIND_EXECUTE_INPUT: _ClassVar[OutputKind]
    OUTPUT_KIND_PUBLISHED: _ClassVar[OutputKind]
    OUTPUT_KIND_PUBLISHED_PORTABLE: _ClassVar[OutputKind]
TASK_STATE_UNSPECIFIED: TaskState
TASK_STATE_WAITING: TaskState
TASK_STATE_QUEUED: TaskState
TASK_STATE_ASSIGNED: TaskState
TASK_STATE_CLAIMED: TaskState
TASK_STATE_FINISHED: TaskState
TASK_STATE_DELIVERED: TaskState
FAILURE_KIND_UNSPECIFIED: FailureKind
FAILURE_KIND_EXCEPTION: FailureKind
FAILURE_KIND_ENGINE_LOST: FailureKind
FAILURE_KIND_ABORTED: FailureKind
FAILURE_KIND_QUEUE_TIMEOUT: FailureKind
FAILURE_KIND_RUN_TIMEOUT: FailureKind
FAILURE_KIND_UNREADABLE: FailureKind
FAILURE_KIND_REFUSED: FailureKind
FAILURE_KIND_CANCELLED: FailureKind
OUTPUT_KIND_UNSPECIFIED: OutputKind
OUTPUT_KIND_STDOUT: OutputKind
OUTPUT_KIND_STDERR: OutputKind
OUTPUT_KIND_DISPLAY_DATA: OutputKind
OUTPUT_KIND_EXECUTE_RESULT: OutputKind
OUTPUT_KIND_EXECUTE_INPUT: OutputKind
OUTPUT_KIND_PUBLISHED: OutputKind
OUTPUT_KIND_PUBLISHED_PORTABLE: OutputKind

class TaskId(_message.Message):
    __slots__ = ("session_id", "index")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    index: int
    def __init__(self, session_id: _Optional[bytes] = ..., index: _Optional[int] = ...) -> None: ...

class AttemptId(_message.Message):
    __slots__ = ("task_id", "attempt")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    task_id: TaskId
    attempt: int
    def __init__(self, task_id: _Optional[_Union[TaskId, _Mapping]] = ..., attempt: _Optional[int] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("kind", "type_name", "message", "traceback", "exception", "engine_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    EXCEPTION_FIELD_NUMBER: _ClassVar[int]
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    kind: FailureKind
    type_name: str
    message: str
    traceback: str
    exception: _payload_pb2.Payload
    engine_id: int
    def __init__(self, kind: _Optional[_Union[FailureKind, str]] = ..., type_name: _Optional[str] = ..., message: _Optional[str] = ..., traceback: _Optional[str] = ..., exception: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., engine_id: _Optional[int] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("result", "failure", "started_unix_nanos", "finished_unix_nanos", "stdout_bytes", "stderr_bytes", "records", "claimed_unix_nanos")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    STARTED_UNIX_NANOS_FIELD_NUMBER: _ClassVar[int]
    FINISHED_UNIX_NANOS_FIELD_NUMBER: _ClassVar[int]
    STDOUT_BYTES_FIELD_NUMBER: _ClassVar[int]
    STDERR_BYTES_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_UNIX_NANOS_FIELD_NUMBER: _ClassVar[int]
    result: _payload_pb2.Payload
    failure: Failure
    started_unix_nanos: int
    finished_unix_nanos: int
    stdout_bytes: int
    stderr_bytes: int
    records: int
    claimed_unix_nanos: int
    def __init__(self, result: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., started_unix_nanos: _Optional[int] = ..., finished_unix_nanos: _Optional[int] = ..., stdout_bytes: _Optional[int] = ..., stderr_bytes: _Optional[int] = ..., records: _Optional[int] = ..., claimed_unix_nanos: _Optional[int] = ...) -> None: ...

class Output(_message.Message):
    __slots__ = ("kind", "offset", "data", "dropped_bytes")
    KIND_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DROPPED_BYTES_FIELD_NUMBER: _ClassVar[int]
    kind: OutputKind
    offset: int
    data: bytes
    dropped_bytes: int
    def __init__(self, kind: _Optional[_Union[OutputKind, str]] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ..., dropped_bytes: _Optional[int] = ...) -> None: ...
