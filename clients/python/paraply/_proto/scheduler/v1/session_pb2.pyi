from paraply._proto.common.v1 import payload_pb2 as _payload_pb2
from paraply._proto.common.v1 import peer_pb2 as _peer_pb2
from paraply._proto.common.v1 import task_pb2 as _task_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DisconnectPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISCONNECT_POLICY_UNSPECIFIED: _ClassVar[DisconnectPolicy]
    DISCONNECT_POLICY_KEEP: _ClassVar[DisconnectPolicy]
    DISCONNECT_POLICY_CANCEL: _ClassVar[DisconnectPolicy]

class CancelMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANCEL_MODE_UNSPECIFIED: _ClassVar[CancelMode]
    CANCEL_MODE_ABORT: _ClassVar[CancelMode]
    CANCEL_MODE_INTERRUPT: _ClassVar[CancelMode]
DISCONNECT_POLICY_UNSPECIFIED: DisconnectPolicy
DISCONNECT_POLICY_KEEP: DisconnectPolicy
DISCONNECT_POLICY_CANCEL: DisconnectPolicy
CANCEL_MODE_UNSPECIFIED: CancelMode
CANCEL_MODE_ABORT: CancelMode
CANCEL_MODE_INTERRUPT: CancelMode

class OpenSessionRequest(_message.Message):
    __slots__ = ("hello", "submit", "replay", "cancel", "ack", "credit", "close", "release")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    hello: SessionHello
    submit: Submit
    replay: Replay
    cancel: CancelIndexes
    ack: EventAck
    credit: EventCredit
    close: CloseSession
    release: ReleaseBlobs
    def __init__(self, hello: _Optional[_Union[SessionHello, _Mapping]] = ..., submit: _Optional[_Union[Submit, _Mapping]] = ..., replay: _Optional[_Union[Replay, _Mapping]] = ..., cancel: _Optional[_Union[CancelIndexes, _Mapping]] = ..., ack: _Optional[_Union[EventAck, _Mapping]] = ..., credit: _Optional[_Union[EventCredit, _Mapping]] = ..., close: _Optional[_Union[CloseSession, _Mapping]] = ..., release: _Optional[_Union[ReleaseBlobs, _Mapping]] = ...) -> None: ...

class OpenSessionResponse(_message.Message):
    __slots__ = ("welcome", "update", "closed")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    welcome: SessionWelcome
    update: SessionUpdate
    closed: SessionClosed
    def __init__(self, welcome: _Optional[_Union[SessionWelcome, _Mapping]] = ..., update: _Optional[_Union[SessionUpdate, _Mapping]] = ..., closed: _Optional[_Union[SessionClosed, _Mapping]] = ...) -> None: ...

class SessionHello(_message.Message):
    __slots__ = ("session_id", "peer", "resume", "on_disconnect", "label", "stream")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    ON_DISCONNECT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    peer: _peer_pb2.PeerInfo
    resume: ResumePoint
    on_disconnect: DisconnectPolicy
    label: str
    stream: int
    def __init__(self, session_id: _Optional[bytes] = ..., peer: _Optional[_Union[_peer_pb2.PeerInfo, _Mapping]] = ..., resume: _Optional[_Union[ResumePoint, _Mapping]] = ..., on_disconnect: _Optional[_Union[DisconnectPolicy, str]] = ..., label: _Optional[str] = ..., stream: _Optional[int] = ...) -> None: ...

class ResumePoint(_message.Message):
    __slots__ = ("epoch", "sequence", "next_index")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    NEXT_INDEX_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    sequence: int
    next_index: int
    def __init__(self, epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., next_index: _Optional[int] = ...) -> None: ...

class SessionWelcome(_message.Message):
    __slots__ = ("cluster_id", "epoch", "accepted_up_to", "replay", "limits", "scheduler", "engines", "credit", "session_grace_millis")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_UP_TO_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULER_FIELD_NUMBER: _ClassVar[int]
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    SESSION_GRACE_MILLIS_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    epoch: int
    accepted_up_to: int
    replay: bool
    limits: _peer_pb2.Limits
    scheduler: _peer_pb2.PeerInfo
    engines: _containers.RepeatedCompositeFieldContainer[_peer_pb2.Engine]
    credit: SubmitCredit
    session_grace_millis: int
    def __init__(self, cluster_id: _Optional[str] = ..., epoch: _Optional[int] = ..., accepted_up_to: _Optional[int] = ..., replay: bool = ..., limits: _Optional[_Union[_peer_pb2.Limits, _Mapping]] = ..., scheduler: _Optional[_Union[_peer_pb2.PeerInfo, _Mapping]] = ..., engines: _Optional[_Iterable[_Union[_peer_pb2.Engine, _Mapping]]] = ..., credit: _Optional[_Union[SubmitCredit, _Mapping]] = ..., session_grace_millis: _Optional[int] = ...) -> None: ...

class Submit(_message.Message):
    __slots__ = ("calls", "functions", "ack_sequence")
    CALLS_FIELD_NUMBER: _ClassVar[int]
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    ACK_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[Call]
    functions: _containers.RepeatedCompositeFieldContainer[_payload_pb2.Function]
    ack_sequence: int
    def __init__(self, calls: _Optional[_Iterable[_Union[Call, _Mapping]]] = ..., functions: _Optional[_Iterable[_Union[_payload_pb2.Function, _Mapping]]] = ..., ack_sequence: _Optional[int] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("first_index", "function_digest", "execute", "direct", "balanced", "options", "arguments")
    FIRST_INDEX_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_DIGEST_FIELD_NUMBER: _ClassVar[int]
    EXECUTE_FIELD_NUMBER: _ClassVar[int]
    DIRECT_FIELD_NUMBER: _ClassVar[int]
    BALANCED_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    first_index: int
    function_digest: bytes
    execute: ExecuteCode
    direct: DirectPlacement
    balanced: BalancedPlacement
    options: CallOptions
    arguments: _containers.RepeatedCompositeFieldContainer[_payload_pb2.Payload]
    def __init__(self, first_index: _Optional[int] = ..., function_digest: _Optional[bytes] = ..., execute: _Optional[_Union[ExecuteCode, _Mapping]] = ..., direct: _Optional[_Union[DirectPlacement, _Mapping]] = ..., balanced: _Optional[_Union[BalancedPlacement, _Mapping]] = ..., options: _Optional[_Union[CallOptions, _Mapping]] = ..., arguments: _Optional[_Iterable[_Union[_payload_pb2.Payload, _Mapping]]] = ...) -> None: ...

class ExecuteCode(_message.Message):
    __slots__ = ("source", "silent", "filename")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SILENT_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    source: str
    silent: bool
    filename: str
    def __init__(self, source: _Optional[str] = ..., silent: bool = ..., filename: _Optional[str] = ...) -> None: ...

class DirectPlacement(_message.Message):
    __slots__ = ("engine_ids",)
    ENGINE_IDS_FIELD_NUMBER: _ClassVar[int]
    engine_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, engine_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class BalancedPlacement(_message.Message):
    __slots__ = ("engine_ids", "retries", "queue_timeout_millis", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ENGINE_IDS_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    QUEUE_TIMEOUT_MILLIS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    engine_ids: _containers.RepeatedScalarFieldContainer[int]
    retries: int
    queue_timeout_millis: int
    labels: _containers.ScalarMap[str, str]
    def __init__(self, engine_ids: _Optional[_Iterable[int]] = ..., retries: _Optional[int] = ..., queue_timeout_millis: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class CallOptions(_message.Message):
    __slots__ = ("label", "priority", "start_once", "run_timeout_millis", "namespace", "name", "traceparent")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    START_ONCE_FIELD_NUMBER: _ClassVar[int]
    RUN_TIMEOUT_MILLIS_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    label: str
    priority: int
    start_once: bool
    run_timeout_millis: int
    namespace: str
    name: str
    traceparent: str
    def __init__(self, label: _Optional[str] = ..., priority: _Optional[int] = ..., start_once: bool = ..., run_timeout_millis: _Optional[int] = ..., namespace: _Optional[str] = ..., name: _Optional[str] = ..., traceparent: _Optional[str] = ...) -> None: ...

class Replay(_message.Message):
    __slots__ = ("calls", "functions", "finished_indexes", "claims", "complete")
    CALLS_FIELD_NUMBER: _ClassVar[int]
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    FINISHED_INDEXES_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[Call]
    functions: _containers.RepeatedCompositeFieldContainer[_payload_pb2.Function]
    finished_indexes: _containers.RepeatedScalarFieldContainer[int]
    claims: _containers.RepeatedCompositeFieldContainer[KnownClaim]
    complete: bool
    def __init__(self, calls: _Optional[_Iterable[_Union[Call, _Mapping]]] = ..., functions: _Optional[_Iterable[_Union[_payload_pb2.Function, _Mapping]]] = ..., finished_indexes: _Optional[_Iterable[int]] = ..., claims: _Optional[_Iterable[_Union[KnownClaim, _Mapping]]] = ..., complete: bool = ...) -> None: ...

class KnownClaim(_message.Message):
    __slots__ = ("index", "attempt", "engine_id", "incarnation")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    index: int
    attempt: int
    engine_id: int
    incarnation: bytes
    def __init__(self, index: _Optional[int] = ..., attempt: _Optional[int] = ..., engine_id: _Optional[int] = ..., incarnation: _Optional[bytes] = ...) -> None: ...

class CancelIndexes(_message.Message):
    __slots__ = ("indexes", "mode", "kill_after_millis")
    INDEXES_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    KILL_AFTER_MILLIS_FIELD_NUMBER: _ClassVar[int]
    indexes: _containers.RepeatedScalarFieldContainer[int]
    mode: CancelMode
    kill_after_millis: int
    def __init__(self, indexes: _Optional[_Iterable[int]] = ..., mode: _Optional[_Union[CancelMode, str]] = ..., kill_after_millis: _Optional[int] = ...) -> None: ...

class EventAck(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class EventCredit(_message.Message):
    __slots__ = ("total_bytes",)
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    total_bytes: int
    def __init__(self, total_bytes: _Optional[int] = ...) -> None: ...

class CloseSession(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReleaseBlobs(_message.Message):
    __slots__ = ("blob_ids",)
    BLOB_IDS_FIELD_NUMBER: _ClassVar[int]
    blob_ids: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, blob_ids: _Optional[_Iterable[bytes]] = ...) -> None: ...

class SessionUpdate(_message.Message):
    __slots__ = ("accepted_up_to", "credit", "need_functions", "events", "wanted_blobs", "taken_blobs")
    ACCEPTED_UP_TO_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    NEED_FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    WANTED_BLOBS_FIELD_NUMBER: _ClassVar[int]
    TAKEN_BLOBS_FIELD_NUMBER: _ClassVar[int]
    accepted_up_to: int
    credit: SubmitCredit
    need_functions: _containers.RepeatedScalarFieldContainer[bytes]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    wanted_blobs: _containers.RepeatedCompositeFieldContainer[_payload_pb2.BlobWant]
    taken_blobs: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, accepted_up_to: _Optional[int] = ..., credit: _Optional[_Union[SubmitCredit, _Mapping]] = ..., need_functions: _Optional[_Iterable[bytes]] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., wanted_blobs: _Optional[_Iterable[_Union[_payload_pb2.BlobWant, _Mapping]]] = ..., taken_blobs: _Optional[_Iterable[bytes]] = ...) -> None: ...

class SubmitCredit(_message.Message):
    __slots__ = ("total_tasks", "total_bytes")
    TOTAL_TASKS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    total_tasks: int
    total_bytes: int
    def __init__(self, total_tasks: _Optional[int] = ..., total_bytes: _Optional[int] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("sequence", "claimed", "output", "finished", "engine_joined", "engine_left")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    ENGINE_JOINED_FIELD_NUMBER: _ClassVar[int]
    ENGINE_LEFT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    claimed: TaskClaimed
    output: TaskOutput
    finished: TaskFinished
    engine_joined: _peer_pb2.Engine
    engine_left: EngineLeft
    def __init__(self, sequence: _Optional[int] = ..., claimed: _Optional[_Union[TaskClaimed, _Mapping]] = ..., output: _Optional[_Union[TaskOutput, _Mapping]] = ..., finished: _Optional[_Union[TaskFinished, _Mapping]] = ..., engine_joined: _Optional[_Union[_peer_pb2.Engine, _Mapping]] = ..., engine_left: _Optional[_Union[EngineLeft, _Mapping]] = ...) -> None: ...

class TaskClaimed(_message.Message):
    __slots__ = ("index", "attempt", "engine_id", "incarnation")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    index: int
    attempt: int
    engine_id: int
    incarnation: bytes
    def __init__(self, index: _Optional[int] = ..., attempt: _Optional[int] = ..., engine_id: _Optional[int] = ..., incarnation: _Optional[bytes] = ...) -> None: ...

class TaskOutput(_message.Message):
    __slots__ = ("index", "attempt", "engine_id", "output")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    index: int
    attempt: int
    engine_id: int
    output: _task_pb2.Output
    def __init__(self, index: _Optional[int] = ..., attempt: _Optional[int] = ..., engine_id: _Optional[int] = ..., output: _Optional[_Union[_task_pb2.Output, _Mapping]] = ...) -> None: ...

class TaskFinished(_message.Message):
    __slots__ = ("index", "attempt", "engine_id", "outcome", "accepted_unix_nanos")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_UNIX_NANOS_FIELD_NUMBER: _ClassVar[int]
    index: int
    attempt: int
    engine_id: int
    outcome: _task_pb2.Outcome
    accepted_unix_nanos: int
    def __init__(self, index: _Optional[int] = ..., attempt: _Optional[int] = ..., engine_id: _Optional[int] = ..., outcome: _Optional[_Union[_task_pb2.Outcome, _Mapping]] = ..., accepted_unix_nanos: _Optional[int] = ...) -> None: ...

class EngineLeft(_message.Message):
    __slots__ = ("engine_id", "reason")
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    engine_id: int
    reason: str
    def __init__(self, engine_id: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class SessionClosed(_message.Message):
    __slots__ = ("reason", "message", "expected_index")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[SessionClosed.Reason]
        REASON_CLOSED: _ClassVar[SessionClosed.Reason]
        REASON_SUPERSEDED: _ClassVar[SessionClosed.Reason]
        REASON_EXPIRED: _ClassVar[SessionClosed.Reason]
        REASON_OUT_OF_ORDER: _ClassVar[SessionClosed.Reason]
        REASON_PROTOCOL_ERROR: _ClassVar[SessionClosed.Reason]
        REASON_LIMIT: _ClassVar[SessionClosed.Reason]
        REASON_SHUTDOWN: _ClassVar[SessionClosed.Reason]
    REASON_UNSPECIFIED: SessionClosed.Reason
    REASON_CLOSED: SessionClosed.Reason
    REASON_SUPERSEDED: SessionClosed.Reason
    REASON_EXPIRED: SessionClosed.Reason
    REASON_OUT_OF_ORDER: SessionClosed.Reason
    REASON_PROTOCOL_ERROR: SessionClosed.Reason
    REASON_LIMIT: SessionClosed.Reason
    REASON_SHUTDOWN: SessionClosed.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_INDEX_FIELD_NUMBER: _ClassVar[int]
    reason: SessionClosed.Reason
    message: str
    expected_index: int
    def __init__(self, reason: _Optional[_Union[SessionClosed.Reason, str]] = ..., message: _Optional[str] = ..., expected_index: _Optional[int] = ...) -> None: ...
