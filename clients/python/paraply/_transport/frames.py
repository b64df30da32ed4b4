"""Blob chunks, framed by hand: the bytes are copied once, from the caller's buffer into the frame or back."""

from __future__ import annotations

from collections.abc import Iterator

from paraply._proto.blob.v1 import blob_pb2
from paraply._session.wire import varint

#: Bytes of a blob in one message.
CHUNK_BYTES = 1 << 20

_REQUEST_CHUNK = b"\x12"
_CHUNK_OFFSET = 0x08
_CHUNK_DATA = 0x7A
_RESPONSE_CHUNK = 0x0A


def write_requests(header: blob_pb2.BlobHeader, data: memoryview, offset: int) -> Iterator[bytes]:
    """The messages of a WriteBlob stream: the header, then `data` from `offset` on."""
    yield blob_pb2.WriteBlobRequest(header=header).SerializeToString()
    for start in range(offset, len(data), CHUNK_BYTES):
        part = data[start : start + CHUNK_BYTES]
        head = b"".join((bytes((_CHUNK_OFFSET,)), varint(start), bytes((_CHUNK_DATA,)), varint(len(part))))
        yield b"".join((_REQUEST_CHUNK, varint(len(head) + len(part)), head, part))


def read_response(frame: bytes) -> tuple[int, memoryview]:
    """Offset and bytes of a ReadBlobResponse."""
    fast = _read_framed(frame)
    if fast is not None:
        return fast
    chunk = blob_pb2.ReadBlobResponse.FromString(frame).chunk
    return chunk.offset, memoryview(chunk.data)


def _read_framed(frame: bytes) -> tuple[int, memoryview] | None:
    """The same without a copy, where the frame is laid out as our services lay it out."""
    if not frame or frame[0] != _RESPONSE_CHUNK:
        return None
    length, at = _varint_at(frame, 1)
    if at + length != len(frame):
        return None
    offset = 0
    if at < len(frame) and frame[at] == _CHUNK_OFFSET:
        offset, at = _varint_at(frame, at + 1)
    if at >= len(frame) or frame[at] != _CHUNK_DATA:
        return None
    length, at = _varint_at(frame, at + 1)
    return (offset, memoryview(frame)[at:]) if at + length == len(frame) else None


def _varint_at(frame: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(frame):
        digit = frame[at]
        value |= (digit & 0x7F) << shift
        at += 1
        if digit < 0x80:
            break
        shift += 7
    return value, at
