"""What travels: a value or a function as bytes, with a header that says how to read them."""

from __future__ import annotations

import enum
import sys
from dataclasses import dataclass, field

BytesLike = bytes | bytearray | memoryview

#: Minor version of this interpreter, such as "3.11": the only one that can read the code objects it pickles.
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

#: Buffers below this many bytes stay inside the pickle, where they cost less than an entry of their own.
OUT_OF_BAND_BYTES = 1024


class Encoding(enum.IntEnum):
    """How the bytes of a payload are to be read. Numbers are those of `paraply.common.v1.Encoding`."""

    UNSPECIFIED = 0
    PICKLE5 = 1
    MSGPACK = 2
    NDARRAY = 3
    ARROW = 4
    JSON = 5
    TEXT = 6


@dataclass(slots=True)
class Payload:
    """One value: `data` refers to `buffers` by position (PEP 574).

    Buffers alias the objects they were taken from: whoever keeps a payload while its owner may change those objects
    copies them first.
    """

    encoding: Encoding
    data: BytesLike
    buffers: list[BytesLike] = field(default_factory=list)
    #: "3.11" where code objects are inside, else empty.
    python_version: str = ""

    @property
    def nbytes(self) -> int:
        """Size of data and buffers together, in bytes."""
        return len(self.data) + sum(memoryview(buffer).nbytes for buffer in self.buffers)


@dataclass(slots=True, frozen=True)
class Function:
    """A function as it is sent: once, then named by its digest."""

    #: SHA-256 of `payload.data`.
    digest: bytes
    payload: Payload
    #: What errors, logs and `repr` call it.
    name: str
    #: It is no Python, but what engines of another runtime have registered.
    native: bool = False
