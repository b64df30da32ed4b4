"""Results as they are kept until somebody reads them: bytes, or the names of bytes in the blob store."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from paraply._blobs import Part, ResultBlob
from paraply._proto.common.v1 import payload_pb2
from paraply._serialize import Encoding, Payload, load_result

if TYPE_CHECKING:
    from paraply._blobs import Blobs


@dataclass(slots=True)
class KeptParts:
    """A result with buffers of its own, some of which may be in the blob store."""

    encoding: int
    python_version: str
    #: The pickle, then its buffers.
    parts: list[Part]

    def is_elsewhere(self) -> bool:
        """Whether some of it has not been fetched yet."""
        return any(isinstance(part, ResultBlob) for part in self.parts)


#: A plain pickle is kept as it is: most results are.
Kept = bytes | KeptParts


def keep(payload: payload_pb2.Payload, blobs: Blobs) -> Kept:
    """Takes what a result needs out of the message that brought it, which may hold many others."""
    named = payload.HasField("data_blob")
    if (
        not named
        and payload.encoding == payload_pb2.ENCODING_PICKLE5
        and not payload.buffers
        and not payload.python_version
    ):
        return payload.data
    parts: list[Part] = [blobs.result(payload.data_blob) if named else payload.data]
    parts += [blobs.result(buffer.blob) if buffer.HasField("blob") else buffer.inline for buffer in payload.buffers]
    return KeptParts(payload.encoding, payload.python_version, parts)


def is_pickled(kept: Kept) -> bool:
    """Whether only Python reads it."""
    return isinstance(kept, bytes) or kept.encoding == payload_pb2.ENCODING_PICKLE5


def fetch(results: list[KeptParts], blobs: Blobs, *, joined: bool) -> None:
    """Fetches what is elsewhere of several results side by side, `joined` in the same memory if they will be one.

    Raises:
        ConnectionError: The cluster is gone, or has lost some of it.
    """
    fetched = iter(blobs.fetch([part for result in results for part in result.parts], joined=joined))
    for result in results:
        result.parts = list(islice(fetched, len(result.parts)))


def load(kept: Kept, blobs: Blobs) -> Any:
    """Reads a result, fetching what of it is in the blob store."""
    if isinstance(kept, bytes):
        return load_result(Payload(Encoding.PICKLE5, kept))
    data, *buffers = blobs.fetch(kept.parts)
    return load_result(Payload(_encoding(kept.encoding), data, list(buffers), kept.python_version))


def _encoding(number: int) -> Encoding:
    try:
        return Encoding(number)
    except ValueError:
        raise ValueError(f"the result is in encoding {number}, which this client does not know") from None
