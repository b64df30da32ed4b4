from paraply._proto.common.v1 import payload_pb2 as _payload_pb2
from paraply._proto.common.v1 import peer_pb2 as _peer_pb2
from paraply._proto.common.v1 import task_pb2 as _task_pb2
from paraply._proto.scheduler.v1 import session_pb2 as _session_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HeldState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HELD_STATE_UNSPECIFIED: _ClassVar[HeldState]
    HELD_STATE_QUEUED: _ClassVar[HeldState]
    HELD_STATE_CLAIMED: _ClassVar[HeldState]
    HELD_STATE_FINISHED: _ClassVar[HeldState]
HELD_STATE_UNSPECIFIED: HeldState
HELD_STATE_QUEUED: HeldState
HELD_STATE_CLAIMED: HeldState
HELD_STATE_FINISHED: HeldState

class AttachEngineRequest(_message.Message):
    __slots__ = ("hello", "reports", "heartbeat")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    hello: EngineHello
    reports: EngineReports
    heartbeat: EngineHeartbeat
    def __init__(self, hello: _Optional[_Union[EngineHello, _Mapping]] = ..., reports: _Optional[_Union[EngineReports, _Mapping]] = ..., heartbeat: _Optional[_Union[EngineHeartbeat, _Mapping]] = ...) -> None: ...

class AttachEngineResponse(_message.Message):
    __slots__ = ("welcome", "orders", "heartbeat")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    welcome: EngineWelcome
    orders: EngineOrders
    heartbeat: SchedulerHeartbeat
    def __init__(self, welcome: _Optional[_Union[EngineWelcome, _Mapping]] = ..., orders: _Optional[_Union[EngineOrders, _Mapping]] = ..., heartbeat: _Optional[_Union[SchedulerHeartbeat, _Mapping]] = ...) -> None: ...

class EngineHello(_message.Message):
    __slots__ = ("engine_id", "incarnation", "ticket", "peer", "labels", "last_epoch", "held", "credit", "stream", "kept_blobs")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LAST_EPOCH_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    KEPT_BLOBS_FIELD_NUMBER: _ClassVar[int]
    engine_id: int
    incarnation: bytes
    ticket: bytes
    peer: _peer_pb2.PeerInfo
    labels: _containers.ScalarMap[str, str]
    last_epoch: int
    held: _containers.RepeatedCompositeFieldContainer[HeldTask]
    credit: EngineCredit
    stream: int
    kept_blobs: _containers.RepeatedCompositeFieldContainer[KeptBlob]
    def __init__(self, engine_id: _Optional[int] = ..., incarnation: _Optional[bytes] = ..., ticket: _Optional[bytes] = ..., peer: _Optional[_Union[_peer_pb2.PeerInfo, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., last_epoch: _Optional[int] = ..., held: _Optional[_Iterable[_Union[HeldTask, _Mapping]]] = ..., credit: _Optional[_Union[EngineCredit, _Mapping]] = ..., stream: _Optional[int] = ..., kept_blobs: _Optional[_Iterable[_Union[KeptBlob, _Mapping]]] = ...) -> None: ...

class KeptBlob(_message.Message):
    __slots__ = ("attempt_id", "blob_id")
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    BLOB_ID_FIELD_NUMBER: _ClassVar[int]
    attempt_id: _task_pb2.AttemptId
    blob_id: bytes
    def __init__(self, attempt_id: _Optional[_Union[_task_pb2.AttemptId, _Mapping]] = ..., blob_id: _Optional[bytes] = ...) -> None: ...

class HeldTask(_message.Message):
    __slots__ = ("attempt_id", "state")
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    attempt_id: _task_pb2.AttemptId
    state: HeldState
    def __init__(self, attempt_id: _Optional[_Union[_task_pb2.AttemptId, _Mapping]] = ..., state: _Optional[_Union[HeldState, str]] = ...) -> None: ...

class EngineWelcome(_message.Message):
    __slots__ = ("cluster_id", "epoch", "lease_millis", "scheduler", "limits", "dropped")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEASE_MILLIS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULER_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    epoch: int
    lease_millis: int
    scheduler: _peer_pb2.PeerInfo
    limits: _peer_pb2.Limits
    dropped: _containers.RepeatedCompositeFieldContainer[_task_pb2.AttemptId]
    def __init__(self, cluster_id: _Optional[str] = ..., epoch: _Optional[int] = ..., lease_millis: _Optional[int] = ..., scheduler: _Optional[_Union[_peer_pb2.PeerInfo, _Mapping]] = ..., limits: _Optional[_Union[_peer_pb2.Limits, _Mapping]] = ..., dropped: _Optional[_Iterable[_Union[_task_pb2.AttemptId, _Mapping]]] = ...) -> None: ...

class EngineReports(_message.Message):
    __slots__ = ("claimed", "output", "finished", "retracted", "credit", "need_functions", "draining", "fetched")
    CLAIMED_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    RETRACTED_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    NEED_FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    FETCHED_FIELD_NUMBER: _ClassVar[int]
    claimed: _containers.RepeatedCompositeFieldContainer[_task_pb2.AttemptId]
    output: _containers.RepeatedCompositeFieldContainer[AttemptOutput]
    finished: _containers.RepeatedCompositeFieldContainer[AttemptFinished]
    retracted: _containers.RepeatedCompositeFieldContainer[RetractAnswer]
    credit: EngineCredit
    need_functions: _containers.RepeatedScalarFieldContainer[bytes]
    draining: bool
    fetched: _containers.RepeatedCompositeFieldContainer[_task_pb2.AttemptId]
    def __init__(self, claimed: _Optional[_Iterable[_Union[_task_pb2.AttemptId, _Mapping]]] = ..., output: _Optional[_Iterable[_Union[AttemptOutput, _Mapping]]] = ..., finished: _Optional[_Iterable[_Union[AttemptFinished, _Mapping]]] = ..., retracted: _Optional[_Iterable[_Union[RetractAnswer, _Mapping]]] = ..., credit: _Optional[_Union[EngineCredit, _Mapping]] = ..., need_functions: _Optional[_Iterable[bytes]] = ..., draining: bool = ..., fetched: _Optional[_Iterable[_Union[_task_pb2.AttemptId, _Mapping]]] = ...) -> None: ...

class AttemptOutput(_message.Message):
    __slots__ = ("attempt_id", "output")
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    attempt_id: _task_pb2.AttemptId
    output: _task_pb2.Output
    def __init__(self, attempt_id: _Optional[_Union[_task_pb2.AttemptId, _Mapping]] = ..., output: _Optional[_Union[_task_pb2.Output, _Mapping]] = ...) -> None: ...

class AttemptFinished(_message.Message):
    __slots__ = ("attempt_id", "outcome")
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    attempt_id: _task_pb2.AttemptId
    outcome: _task_pb2.Outcome
    def __init__(self, attempt_id: _Optional[_Union[_task_pb2.AttemptId, _Mapping]] = ..., outcome: _Optional[_Union[_task_pb2.Outcome, _Mapping]] = ...) -> None: ...

class RetractAnswer(_message.Message):
    __slots__ = ("attempt_id", "given_back")
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    GIVEN_BACK_FIELD_NUMBER: _ClassVar[int]
    attempt_id: _task_pb2.AttemptId
    given_back: bool
    def __init__(self, attempt_id: _Optional[_Union[_task_pb2.AttemptId, _Mapping]] = ..., given_back: bool = ...) -> None: ...

class EngineCredit(_message.Message):
    __slots__ = ("total_tasks", "total_bytes")
    TOTAL_TASKS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    total_tasks: int
    total_bytes: int
    def __init__(self, total_tasks: _Optional[int] = ..., total_bytes: _Optional[int] = ...) -> None: ...

class EngineOrders(_message.Message):
    __slots__ = ("functions", "assigned", "retract", "cancel", "acked", "start", "forget_functions", "drain", "exit", "wanted_blobs", "store_blobs", "release_blobs")
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    ASSIGNED_FIELD_NUMBER: _ClassVar[int]
    RETRACT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    ACKED_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    FORGET_FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    EXIT_FIELD_NUMBER: _ClassVar[int]
    WANTED_BLOBS_FIELD_NUMBER: _ClassVar[int]
    STORE_BLOBS_FIELD_NUMBER: _ClassVar[int]
    RELEASE_BLOBS_FIELD_NUMBER: _ClassVar[int]
    functions: _containers.RepeatedCompositeFieldContainer[_payload_pb2.Function]
    assigned: _containers.RepeatedCompositeFieldContainer[AssignedCall]
    retract: _containers.RepeatedCompositeFieldContainer[_task_pb2.AttemptId]
    cancel: _containers.RepeatedCompositeFieldContainer[CancelAttempt]
    acked: _containers.RepeatedCompositeFieldContainer[_task_pb2.AttemptId]
    start: _containers.RepeatedCompositeFieldContainer[_task_pb2.AttemptId]
    forget_functions: _containers.RepeatedScalarFieldContainer[bytes]
    drain: bool
    exit: bool
    wanted_blobs: _containers.RepeatedCompositeFieldContainer[_payload_pb2.BlobWant]
    store_blobs: _containers.RepeatedScalarFieldContainer[bytes]
    release_blobs: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, functions: _Optional[_Iterable[_Union[_payload_pb2.Function, _Mapping]]] = ..., assigned: _Optional[_Iterable[_Union[AssignedCall, _Mapping]]] = ..., retract: _Optional[_Iterable[_Union[_task_pb2.AttemptId, _Mapping]]] = ..., cancel: _Optional[_Iterable[_Union[CancelAttempt, _Mapping]]] = ..., acked: _Optional[_Iterable[_Union[_task_pb2.AttemptId, _Mapping]]] = ..., start: _Optional[_Iterable[_Union[_task_pb2.AttemptId, _Mapping]]] = ..., forget_functions: _Optional[_Iterable[bytes]] = ..., drain: bool = ..., exit: bool = ..., wanted_blobs: _Optional[_Iterable[_Union[_payload_pb2.BlobWant, _Mapping]]] = ..., store_blobs: _Optional[_Iterable[bytes]] = ..., release_blobs: _Optional[_Iterable[bytes]] = ...) -> None: ...

class AssignedCall(_message.Message):
    __slots__ = ("function_digest", "execute", "options", "session_id", "direct", "tasks", "several_engines")
    FUNCTION_DIGEST_FIELD_NUMBER: _ClassVar[int]
    EXECUTE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    DIRECT_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    SEVERAL_ENGINES_FIELD_NUMBER: _ClassVar[int]
    function_digest: bytes
    execute: _session_pb2.ExecuteCode
    options: _session_pb2.CallOptions
    session_id: bytes
    direct: bool
    tasks: _containers.RepeatedCompositeFieldContainer[AssignedTask]
    several_engines: bool
    def __init__(self, function_digest: _Optional[bytes] = ..., execute: _Optional[_Union[_session_pb2.ExecuteCode, _Mapping]] = ..., options: _Optional[_Union[_session_pb2.CallOptions, _Mapping]] = ..., session_id: _Optional[bytes] = ..., direct: bool = ..., tasks: _Optional[_Iterable[_Union[AssignedTask, _Mapping]]] = ..., several_engines: bool = ...) -> None: ...

class AssignedTask(_message.Message):
    __slots__ = ("index", "attempt", "claimed", "arguments", "expected_nanos", "span_id")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_NANOS_FIELD_NUMBER: _ClassVar[int]
    SPAN_ID_FIELD_NUMBER: _ClassVar[int]
    index: int
    attempt: int
    claimed: bool
    arguments: _payload_pb2.Payload
    expected_nanos: int
    span_id: int
    def __init__(self, index: _Optional[int] = ..., attempt: _Optional[int] = ..., claimed: bool = ..., arguments: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., expected_nanos: _Optional[int] = ..., span_id: _Optional[int] = ...) -> None: ...

class CancelAttempt(_message.Message):
    __slots__ = ("attempt_id", "mode", "kill_after_millis")
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    KILL_AFTER_MILLIS_FIELD_NUMBER: _ClassVar[int]
    attempt_id: _task_pb2.AttemptId
    mode: _session_pb2.CancelMode
    kill_after_millis: int
    def __init__(self, attempt_id: _Optional[_Union[_task_pb2.AttemptId, _Mapping]] = ..., mode: _Optional[_Union[_session_pb2.CancelMode, str]] = ..., kill_after_millis: _Optional[int] = ...) -> None: ...

class EngineHeartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SchedulerHeartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
