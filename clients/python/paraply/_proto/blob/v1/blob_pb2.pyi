from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WriteBlobRequest(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: BlobHeader
    chunk: BlobChunk
    def __init__(self, header: _Optional[_Union[BlobHeader, _Mapping]] = ..., chunk: _Optional[_Union[BlobChunk, _Mapping]] = ...) -> None: ...

class BlobHeader(_message.Message):
    __slots__ = ("blob_id", "size_bytes", "session_id", "transfer_id", "only_copy")
    BLOB_ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_ID_FIELD_NUMBER: _ClassVar[int]
    ONLY_COPY_FIELD_NUMBER: _ClassVar[int]
    blob_id: bytes
    size_bytes: int
    session_id: bytes
    transfer_id: int
    only_copy: bool
    def __init__(self, blob_id: _Optional[bytes] = ..., size_bytes: _Optional[int] = ..., session_id: _Optional[bytes] = ..., transfer_id: _Optional[int] = ..., only_copy: bool = ...) -> None: ...

class BlobChunk(_message.Message):
    __slots__ = ("offset", "data")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    offset: int
    data: bytes
    def __init__(self, offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class WriteBlobResponse(_message.Message):
    __slots__ = ("committed_bytes", "durable")
    COMMITTED_BYTES_FIELD_NUMBER: _ClassVar[int]
    DURABLE_FIELD_NUMBER: _ClassVar[int]
    committed_bytes: int
    durable: bool
    def __init__(self, committed_bytes: _Optional[int] = ..., durable: bool = ...) -> None: ...

class ReadBlobRequest(_message.Message):
    __slots__ = ("blob_id", "offset", "session_id")
    BLOB_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    blob_id: bytes
    offset: int
    session_id: bytes
    def __init__(self, blob_id: _Optional[bytes] = ..., offset: _Optional[int] = ..., session_id: _Optional[bytes] = ...) -> None: ...

class ReadBlobResponse(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: BlobChunk
    def __init__(self, chunk: _Optional[_Union[BlobChunk, _Mapping]] = ...) -> None: ...

class QueryWriteStatusRequest(_message.Message):
    __slots__ = ("blob_id",)
    BLOB_ID_FIELD_NUMBER: _ClassVar[int]
    blob_id: bytes
    def __init__(self, blob_id: _Optional[bytes] = ...) -> None: ...

class QueryWriteStatusResponse(_message.Message):
    __slots__ = ("committed_bytes", "size_bytes", "durable")
    COMMITTED_BYTES_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DURABLE_FIELD_NUMBER: _ClassVar[int]
    committed_bytes: int
    size_bytes: int
    durable: bool
    def __init__(self, committed_bytes: _Optional[int] = ..., size_bytes: _Optional[int] = ..., durable: bool = ...) -> None: ...
