from paraply._proto.common.v1 import peer_pb2 as _peer_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EngineState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENGINE_STATE_UNSPECIFIED: _ClassVar[EngineState]
    ENGINE_STATE_REGISTERED: _ClassVar[EngineState]
    ENGINE_STATE_ATTACHED: _ClassVar[EngineState]
    ENGINE_STATE_DRAINING: _ClassVar[EngineState]
ENGINE_STATE_UNSPECIFIED: EngineState
ENGINE_STATE_REGISTERED: EngineState
ENGINE_STATE_ATTACHED: EngineState
ENGINE_STATE_DRAINING: EngineState

class GetClusterInfoRequest(_message.Message):
    __slots__ = ("peer",)
    PEER_FIELD_NUMBER: _ClassVar[int]
    peer: _peer_pb2.PeerInfo
    def __init__(self, peer: _Optional[_Union[_peer_pb2.PeerInfo, _Mapping]] = ...) -> None: ...

class GetClusterInfoResponse(_message.Message):
    __slots__ = ("cluster_id", "controller", "scheduler", "scheduler_endpoints", "limits", "capabilities", "autoscaling")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    CONTROLLER_FIELD_NUMBER: _ClassVar[int]
    SCHEDULER_FIELD_NUMBER: _ClassVar[int]
    SCHEDULER_ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    AUTOSCALING_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    controller: _peer_pb2.PeerInfo
    scheduler: _peer_pb2.PeerInfo
    scheduler_endpoints: _containers.RepeatedCompositeFieldContainer[Endpoint]
    limits: _peer_pb2.Limits
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    autoscaling: Autoscaling
    def __init__(self, cluster_id: _Optional[str] = ..., controller: _Optional[_Union[_peer_pb2.PeerInfo, _Mapping]] = ..., scheduler: _Optional[_Union[_peer_pb2.PeerInfo, _Mapping]] = ..., scheduler_endpoints: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ..., limits: _Optional[_Union[_peer_pb2.Limits, _Mapping]] = ..., capabilities: _Optional[_Iterable[str]] = ..., autoscaling: _Optional[_Union[Autoscaling, _Mapping]] = ...) -> None: ...

class Autoscaling(_message.Message):
    __slots__ = ("min_engines", "max_engines", "idle_millis", "wanted_engines")
    MIN_ENGINES_FIELD_NUMBER: _ClassVar[int]
    MAX_ENGINES_FIELD_NUMBER: _ClassVar[int]
    IDLE_MILLIS_FIELD_NUMBER: _ClassVar[int]
    WANTED_ENGINES_FIELD_NUMBER: _ClassVar[int]
    min_engines: int
    max_engines: int
    idle_millis: int
    wanted_engines: int
    def __init__(self, min_engines: _Optional[int] = ..., max_engines: _Optional[int] = ..., idle_millis: _Optional[int] = ..., wanted_engines: _Optional[int] = ...) -> None: ...

class Endpoint(_message.Message):
    __slots__ = ("unix", "tcp", "same", "tls")
    UNIX_FIELD_NUMBER: _ClassVar[int]
    TCP_FIELD_NUMBER: _ClassVar[int]
    SAME_FIELD_NUMBER: _ClassVar[int]
    TLS_FIELD_NUMBER: _ClassVar[int]
    unix: UnixSocket
    tcp: str
    same: Same
    tls: Tls
    def __init__(self, unix: _Optional[_Union[UnixSocket, _Mapping]] = ..., tcp: _Optional[str] = ..., same: _Optional[_Union[Same, _Mapping]] = ..., tls: _Optional[_Union[Tls, _Mapping]] = ...) -> None: ...

class UnixSocket(_message.Message):
    __slots__ = ("path", "boot_id")
    PATH_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    path: str
    boot_id: str
    def __init__(self, path: _Optional[str] = ..., boot_id: _Optional[str] = ...) -> None: ...

class Same(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Tls(_message.Message):
    __slots__ = ("address", "server_name")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SERVER_NAME_FIELD_NUMBER: _ClassVar[int]
    address: str
    server_name: str
    def __init__(self, address: _Optional[str] = ..., server_name: _Optional[str] = ...) -> None: ...

class EngineStatus(_message.Message):
    __slots__ = ("engine", "state", "registered_unix_nanos", "queued_tasks", "claimed_tasks", "completed_tasks")
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_UNIX_NANOS_FIELD_NUMBER: _ClassVar[int]
    QUEUED_TASKS_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_TASKS_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_TASKS_FIELD_NUMBER: _ClassVar[int]
    engine: _peer_pb2.Engine
    state: EngineState
    registered_unix_nanos: int
    queued_tasks: int
    claimed_tasks: int
    completed_tasks: int
    def __init__(self, engine: _Optional[_Union[_peer_pb2.Engine, _Mapping]] = ..., state: _Optional[_Union[EngineState, str]] = ..., registered_unix_nanos: _Optional[int] = ..., queued_tasks: _Optional[int] = ..., claimed_tasks: _Optional[int] = ..., completed_tasks: _Optional[int] = ...) -> None: ...

class ListEnginesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListEnginesResponse(_message.Message):
    __slots__ = ("engines", "next_page_token")
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    engines: _containers.RepeatedCompositeFieldContainer[EngineStatus]
    next_page_token: str
    def __init__(self, engines: _Optional[_Iterable[_Union[EngineStatus, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetEngineRequest(_message.Message):
    __slots__ = ("engine_id",)
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    engine_id: int
    def __init__(self, engine_id: _Optional[int] = ...) -> None: ...

class GetEngineResponse(_message.Message):
    __slots__ = ("engine",)
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    engine: EngineStatus
    def __init__(self, engine: _Optional[_Union[EngineStatus, _Mapping]] = ...) -> None: ...

class WatchEnginesRequest(_message.Message):
    __slots__ = ("launcher",)
    LAUNCHER_FIELD_NUMBER: _ClassVar[int]
    launcher: bool
    def __init__(self, launcher: bool = ...) -> None: ...

class WatchEnginesResponse(_message.Message):
    __slots__ = ("snapshot", "changed", "removed_engine_id", "wanted_engines")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    WANTED_ENGINES_FIELD_NUMBER: _ClassVar[int]
    snapshot: EngineSnapshot
    changed: EngineStatus
    removed_engine_id: int
    wanted_engines: int
    def __init__(self, snapshot: _Optional[_Union[EngineSnapshot, _Mapping]] = ..., changed: _Optional[_Union[EngineStatus, _Mapping]] = ..., removed_engine_id: _Optional[int] = ..., wanted_engines: _Optional[int] = ...) -> None: ...

class EngineSnapshot(_message.Message):
    __slots__ = ("engines",)
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    engines: _containers.RepeatedCompositeFieldContainer[EngineStatus]
    def __init__(self, engines: _Optional[_Iterable[_Union[EngineStatus, _Mapping]]] = ...) -> None: ...

class DrainEngineRequest(_message.Message):
    __slots__ = ("engine_id",)
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    engine_id: int
    def __init__(self, engine_id: _Optional[int] = ...) -> None: ...

class DrainEngineResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ScaleEnginesRequest(_message.Message):
    __slots__ = ("engines",)
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    engines: int
    def __init__(self, engines: _Optional[int] = ...) -> None: ...

class ScaleEnginesResponse(_message.Message):
    __slots__ = ("engines_before",)
    ENGINES_BEFORE_FIELD_NUMBER: _ClassVar[int]
    engines_before: int
    def __init__(self, engines_before: _Optional[int] = ...) -> None: ...

class RemoveEngineRequest(_message.Message):
    __slots__ = ("engine_id",)
    ENGINE_ID_FIELD_NUMBER: _ClassVar[int]
    engine_id: int
    def __init__(self, engine_id: _Optional[int] = ...) -> None: ...

class RemoveEngineResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SignalEnginesRequest(_message.Message):
    __slots__ = ("engine_ids", "signal")
    ENGINE_IDS_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    engine_ids: _containers.RepeatedScalarFieldContainer[int]
    signal: str
    def __init__(self, engine_ids: _Optional[_Iterable[int]] = ..., signal: _Optional[str] = ...) -> None: ...

class SignalEnginesResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
