"""Messages framed by hand where one is written for every task; the generated classes do the rest.

A protobuf message may be put together from pieces: fields come in any order, and the bytes of two partial messages, one
after the other, are the bytes of both merged.
"""

from __future__ import annotations

import math
import os
from functools import lru_cache
from typing import TYPE_CHECKING

from paraply._proto.common.v1 import payload_pb2
from paraply._proto.scheduler.v1 import session_pb2
from paraply._session.call import Blob

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from paraply._proto.common.v1 import task_pb2
    from paraply._serialize import Function, Payload


#: Parts of a payload below this size stay in the message, whatever else has to leave it.
SMALLEST_BLOB = 4096


def varint(value: int) -> bytes:
    """`value` in base 128, as protobuf writes lengths and numbers."""
    if value < 0x80:
        return bytes((value,))
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    digits = bytearray()
    while value >= 0x80:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def delimited(key: bytes, body: bytes) -> bytes:
    """A field that is a message, bytes or a string. `key` is its number and wire type 2, encoded."""
    return b"".join((key, varint(len(body)), body))


# Keys: field number << 3 | wire type.
_REQUEST_SUBMIT = b"\x12"
_REQUEST_REPLAY = b"\x1a"
_CALLS = b"\x0a"
_FUNCTIONS = b"\x12"
_ACK_SEQUENCE = b"\x18"
_CALL_FIRST_INDEX = b"\x08"
_CALL_ARGUMENTS = b"\x3a"
_CALL_OPTIONS = b"\x32"
_NO_ARGUMENTS = b"\x3a\x00"
_OPTIONS_TRACEPARENT = b"\x3a"
_PICKLE5_DATA = b"\x08\x01\x7a"  # Payload: encoding = 1, then the key of `data`


@lru_cache(maxsize=256)
def call_head(
    digest: bytes | None,
    execute: tuple[str, bool, str] | None,
    direct: bool,
    engine_ids: tuple[int, ...],
    options: tuple[str, str, int, int, float | None, float | None, bool],
    labels: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """What the tasks of a call share, encoded. Calls in a loop share it too, so it is remembered.

    Args:
        digest: Of the function to call, or None for code.
        execute: Source, silent, filename.
        options: name, label, priority, retries, queue time-out and run time-out in seconds, start once.
        labels: What its engine has to carry, where it is for any that does.
    """
    name, label, priority, retries, queue_timeout, run_timeout, start_once = options
    message = session_pb2.Call(
        options=session_pb2.CallOptions(
            name=name[:256],
            label=label,
            priority=priority,
            start_once=start_once,
            run_timeout_millis=_millis(run_timeout),
        )
    )
    if digest is not None:
        message.function_digest = digest
    elif execute is not None:
        source, silent, filename = execute
        message.execute.CopyFrom(session_pb2.ExecuteCode(source=source, silent=silent, filename=filename))
    if direct:
        message.direct.CopyFrom(session_pb2.DirectPlacement(engine_ids=engine_ids))
    else:
        message.balanced.CopyFrom(
            session_pb2.BalancedPlacement(
                engine_ids=engine_ids,
                retries=retries,
                queue_timeout_millis=_millis(queue_timeout),
                labels=dict(labels),
            )
        )
    return message.SerializeToString()


def traceparent(text: str) -> bytes:
    """What a call that is traced has in its options beside what `call_head` says."""
    return delimited(_CALL_OPTIONS, delimited(_OPTIONS_TRACEPARENT, text.encode()))


def _millis(seconds: float | None) -> int | None:
    return None if seconds is None or seconds == math.inf else max(1, round(seconds * 1000))


def argument(payload: Payload, inline_bytes: int, blobs: list[Blob], *, kept: bool = False) -> tuple[bytes, int]:
    """One argument of a call, encoded as a field of it, and how many of its bytes are inline.

    What of it is over `inline_bytes` is added to `blobs`, and named in its place, as `kept` here if it is.
    """
    data = payload.data
    if not data and not payload.buffers and payload.encoding == 1:
        return _NO_ARGUMENTS, 0
    if not payload.buffers and payload.encoding == 1 and not payload.python_version and len(data) <= inline_bytes:
        body = b"".join((_PICKLE5_DATA, varint(len(data)), data))
        return delimited(_CALL_ARGUMENTS, body), len(data)
    message, inline = payload_message(payload, inline_bytes, blobs, kept=kept)
    return delimited(_CALL_ARGUMENTS, message.SerializeToString()), inline


def payload_message(
    payload: Payload, inline_bytes: int, blobs: list[Blob], *, kept: bool = False
) -> tuple[payload_pb2.Payload, int]:
    """A payload as a message, and how many of its bytes are inline. The largest parts leave it first."""
    parts = [memoryview(part).cast("B") for part in (payload.data, *payload.buffers)]
    inline = sum(part.nbytes for part in parts)
    named: dict[int, payload_pb2.BlobRef] = {}
    for position in sorted(range(len(parts)), key=lambda at: parts[at].nbytes, reverse=True):
        size = parts[position].nbytes
        if inline <= inline_bytes or size < SMALLEST_BLOB:
            break
        blob_id = os.urandom(16)
        blobs.append(Blob(blob_id, parts[position]))
        named[position] = payload_pb2.BlobRef(blob_id=blob_id, size_bytes=size, kept=kept)
        inline -= size
    message = payload_pb2.Payload(encoding=int(payload.encoding), python_version=payload.python_version)  # type: ignore[arg-type]
    if 0 in named:
        message.data_blob.CopyFrom(named[0])
    else:
        message.data = bytes(parts[0])
    for position, part in enumerate(parts[1:], start=1):
        if position in named:
            message.buffers.add(blob=named[position])
        else:
            message.buffers.add(inline=bytes(part))
    return message, inline


def function(value: Function) -> bytes:
    """A function, encoded as a field of Submit or Replay."""
    payload, _ = payload_message(value.payload, 1 << 62, [])
    message = payload_pb2.Function(digest=value.digest, payload=payload, name=value.name[:256])
    return delimited(_FUNCTIONS, message.SerializeToString())


def blobs(outcome: task_pb2.Outcome) -> Iterator[bytes]:
    """Names of the blobs that hold parts of a result, or of an exception."""
    payload = outcome.failure.exception if outcome.HasField("failure") else outcome.result
    if payload.HasField("data_blob"):
        yield payload.data_blob.blob_id
    for buffer in payload.buffers:
        if buffer.HasField("blob"):
            yield buffer.blob.blob_id


def call(first_index: int, body: bytes) -> bytes:
    """A call, encoded as a field of Submit or Replay."""
    index = varint(first_index)
    return b"".join((_CALLS, varint(len(body) + len(index) + 1), _CALL_FIRST_INDEX, index, body))


def submit(fields: Iterable[bytes], ack: int | None) -> bytes:
    """A Submit of encoded functions and calls, with an acknowledgement if one is due."""
    tail = () if ack is None else (_ACK_SEQUENCE, varint(ack))
    return delimited(_REQUEST_SUBMIT, b"".join((*fields, *tail)))


def replay(fields: Iterable[bytes], rest: session_pb2.Replay) -> bytes:
    """A Replay of encoded functions and calls, and what else it says."""
    return delimited(_REQUEST_REPLAY, b"".join((*fields, rest.SerializeToString())))
