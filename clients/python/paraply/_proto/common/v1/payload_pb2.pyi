from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Encoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENCODING_UNSPECIFIED: _ClassVar[Encoding]
    ENCODING_PICKLE5: _ClassVar[Encoding]
    ENCODING_MSGPACK: _ClassVar[Encoding]
    ENCODING_NDARRAY: _ClassVar[Encoding]
    ENCODING_ARROW: _ClassVar[Encoding]
    ENCODING_JSON: _ClassVar[Encoding]
    ENCODING_TEXT: _ClassVar[Encoding]
ENCODING_UNSPECIFIED: Encoding
ENCODING_PICKLE5: Encoding
ENCODING_MSGPACK: Encoding
ENCODING_NDARRAY: Encoding
ENCODING_ARROW: Encoding
ENCODING_JSON: Encoding
ENCODING_TEXT: Encoding

class Payload(_message.Message):
    __slots__ = ("encoding", "python_version", "buffers", "data_blob", "data")
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    PYTHON_VERSION_FIELD_NUMBER: _ClassVar[int]
    BUFFERS_FIELD_NUMBER: _ClassVar[int]
    DATA_BLOB_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    encoding: Encoding
    python_version: str
    buffers: _containers.RepeatedCompositeFieldContainer[Buffer]
    data_blob: BlobRef
    data: bytes
    def __init__(self, encoding: _Optional[_Union[Encoding, str]] = ..., python_version: _Optional[str] = ..., buffers: _Optional[_Iterable[_Union[Buffer, _Mapping]]] = ..., data_blob: _Optional[_Union[BlobRef, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class Buffer(_message.Message):
    __slots__ = ("inline", "blob")
    INLINE_FIELD_NUMBER: _ClassVar[int]
    BLOB_FIELD_NUMBER: _ClassVar[int]
    inline: bytes
    blob: BlobRef
    def __init__(self, inline: _Optional[bytes] = ..., blob: _Optional[_Union[BlobRef, _Mapping]] = ...) -> None: ...

class BlobRef(_message.Message):
    __slots__ = ("blob_id", "size_bytes", "kept")
    BLOB_ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    blob_id: bytes
    size_bytes: int
    kept: bool
    def __init__(self, blob_id: _Optional[bytes] = ..., size_bytes: _Optional[int] = ..., kept: bool = ...) -> None: ...

class BlobWant(_message.Message):
    __slots__ = ("blob_id", "transfer_id", "offset")
    BLOB_ID_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    blob_id: bytes
    transfer_id: int
    offset: int
    def __init__(self, blob_id: _Optional[bytes] = ..., transfer_id: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class Function(_message.Message):
    __slots__ = ("digest", "payload", "name")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    payload: Payload
    name: str
    def __init__(self, digest: _Optional[bytes] = ..., payload: _Optional[_Union[Payload, _Mapping]] = ..., name: _Optional[str] = ...) -> None: ...
