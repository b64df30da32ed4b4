from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PeerInfo(_message.Message):
    __slots__ = ("version", "protocol_max", "protocol_min", "python_version", "hostname", "pid", "agent")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_MAX_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_MIN_FIELD_NUMBER: _ClassVar[int]
    PYTHON_VERSION_FIELD_NUMBER: _ClassVar[int]
    HOSTNAME_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    version: str
    protocol_max: int
    protocol_min: int
    python_version: str
    hostname: str
    pid: int
    agent: str
    def __init__(self, version: _Optional[str] = ..., protocol_max: _Optional[int] = ..., protocol_min: _Optional[int] = ..., python_version: _Optional[str] = ..., hostname: _Optional[str] = ..., pid: _Optional[int] = ..., agent: _Optional[str] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("message_bytes", "inline_bytes", "session_tasks", "session_bytes", "task_output_bytes")
    MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    INLINE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SESSION_TASKS_FIELD_NUMBER: _ClassVar[int]
    SESSION_BYTES_FIELD_NUMBER: _ClassVar[int]
    TASK_OUTPUT_BYTES_FIELD_NUMBER: _ClassVar[int]
    message_bytes: int
    inline_bytes: int
    session_tasks: int
    session_bytes: int
    task_output_bytes: int
    def __init__(self, message_bytes: _Optional[int] = ..., inline_bytes: _Optional[int] = ..., session_tasks: _Optional[int] = ..., session_bytes: _Optional[int] = ..., task_output_bytes: _Optional[int] = ...) -> None: ...

class Engine(_message.Message):
    __slots__ = ("engine_id", "incarnation", "peer", "labels", "draining")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    engine_id: int
    incarnation: bytes
    peer: PeerInfo
    labels: _containers.ScalarMap[str, str]
    draining: bool
    def __init__(self, engine_id: _Optional[int] = ..., incarnation: _Optional[bytes] = ..., peer: _Optional[_Union[PeerInfo, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., draining: bool = ...) -> None: ...
