from paraply._proto.common.v1 import peer_pb2 as _peer_pb2
from paraply._proto.controller.v1 import cluster_pb2 as _cluster_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MemberRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEMBER_ROLE_UNSPECIFIED: _ClassVar[MemberRole]
    MEMBER_ROLE_ENGINE: _ClassVar[MemberRole]
    MEMBER_ROLE_SCHEDULER: _ClassVar[MemberRole]
MEMBER_ROLE_UNSPECIFIED: MemberRole
MEMBER_ROLE_ENGINE: MemberRole
MEMBER_ROLE_SCHEDULER: MemberRole

class RegisterMemberRequest(_message.Message):
    __slots__ = ("role", "incarnation", "peer", "labels", "member_id", "ticket", "endpoints", "next_engine_id")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ROLE_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    role: MemberRole
    incarnation: bytes
    peer: _peer_pb2.PeerInfo
    labels: _containers.ScalarMap[str, str]
    member_id: int
    ticket: bytes
    endpoints: _containers.RepeatedCompositeFieldContainer[_cluster_pb2.Endpoint]
    next_engine_id: int
    def __init__(self, role: _Optional[_Union[MemberRole, str]] = ..., incarnation: _Optional[bytes] = ..., peer: _Optional[_Union[_peer_pb2.PeerInfo, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., member_id: _Optional[int] = ..., ticket: _Optional[bytes] = ..., endpoints: _Optional[_Iterable[_Union[_cluster_pb2.Endpoint, _Mapping]]] = ..., next_engine_id: _Optional[int] = ...) -> None: ...

class RegisterMemberResponse(_message.Message):
    __slots__ = ("cluster_id", "member_id", "ticket", "lease_millis", "controller", "scheduler_endpoints")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    LEASE_MILLIS_FIELD_NUMBER: _ClassVar[int]
    CONTROLLER_FIELD_NUMBER: _ClassVar[int]
    SCHEDULER_ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    member_id: int
    ticket: bytes
    lease_millis: int
    controller: _peer_pb2.PeerInfo
    scheduler_endpoints: _containers.RepeatedCompositeFieldContainer[_cluster_pb2.Endpoint]
    def __init__(self, cluster_id: _Optional[str] = ..., member_id: _Optional[int] = ..., ticket: _Optional[bytes] = ..., lease_millis: _Optional[int] = ..., controller: _Optional[_Union[_peer_pb2.PeerInfo, _Mapping]] = ..., scheduler_endpoints: _Optional[_Iterable[_Union[_cluster_pb2.Endpoint, _Mapping]]] = ...) -> None: ...

class KeepAliveRequest(_message.Message):
    __slots__ = ("member_id", "incarnation", "engine_loads", "lost_engine_ids", "waiting_tasks")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    ENGINE_LOADS_FIELD_NUMBER: _ClassVar[int]
    LOST_ENGINE_IDS_FIELD_NUMBER: _ClassVar[int]
    WAITING_TASKS_FIELD_NUMBER: _ClassVar[int]
    member_id: int
    incarnation: bytes
    engine_loads: _containers.RepeatedCompositeFieldContainer[EngineLoad]
    lost_engine_ids: _containers.RepeatedScalarFieldContainer[int]
    waiting_tasks: int
    def __init__(self, member_id: _Optional[int] = ..., incarnation: _Optional[bytes] = ..., engine_loads: _Optional[_Iterable[_Union[EngineLoad, _Mapping]]] = ..., lost_engine_ids: _Optional[_Iterable[int]] = ..., waiting_tasks: _Optional[int] = ...) -> None: ...

class EngineLoad(_message.Message):
    __slots__ = ("engine_id", "queued_tasks", "claimed_tasks", "completed_tasks", "draining")
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUED_TASKS_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_TASKS_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_TASKS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    engine_id: int
    queued_tasks: int
    claimed_tasks: int
    completed_tasks: int
    draining: bool
    def __init__(self, engine_id: _Optional[int] = ..., queued_tasks: _Optional[int] = ..., claimed_tasks: _Optional[int] = ..., completed_tasks: _Optional[int] = ..., draining: bool = ...) -> None: ...

class KeepAliveResponse(_message.Message):
    __slots__ = ("scheduler_endpoints", "exit", "drain", "signals")
    SCHEDULER_ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    EXIT_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    scheduler_endpoints: _containers.RepeatedCompositeFieldContainer[_cluster_pb2.Endpoint]
    exit: bool
    drain: bool
    signals: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, scheduler_endpoints: _Optional[_Iterable[_Union[_cluster_pb2.Endpoint, _Mapping]]] = ..., exit: bool = ..., drain: bool = ..., signals: _Optional[_Iterable[str]] = ...) -> None: ...

class DeregisterMemberRequest(_message.Message):
    __slots__ = ("member_id", "incarnation")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    member_id: int
    incarnation: bytes
    def __init__(self, member_id: _Optional[int] = ..., incarnation: _Optional[bytes] = ...) -> None: ...

class DeregisterMemberResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchMembersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchMembersResponse(_message.Message):
    __slots__ = ("snapshot", "joined", "left_engine_id")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    JOINED_FIELD_NUMBER: _ClassVar[int]
    LEFT_ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    snapshot: MemberSnapshot
    joined: _peer_pb2.Engine
    left_engine_id: int
    def __init__(self, snapshot: _Optional[_Union[MemberSnapshot, _Mapping]] = ..., joined: _Optional[_Union[_peer_pb2.Engine, _Mapping]] = ..., left_engine_id: _Optional[int] = ...) -> None: ...

class MemberSnapshot(_message.Message):
    __slots__ = ("engines",)
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    engines: _containers.RepeatedCompositeFieldContainer[_peer_pb2.Engine]
    def __init__(self, engines: _Optional[_Iterable[_Union[_peer_pb2.Engine, _Mapping]]] = ...) -> None: ...
