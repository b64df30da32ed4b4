"""The transport seam: what the client needs of a connection to a service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

    from paraply._proto.blob.v1 import blob_pb2
    from paraply._proto.scheduler.v1 import session_pb2

    Response = TypeVar("Response", bound=Message)


class TransportError(Exception):
    """A call, or its connection, failed.

    Args:
        code: Name of the gRPC status, such as "UNAVAILABLE".
        message: What the other end, or the connection, said.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service listens: a Unix socket (`path`), or host and port in plain text (`tcp`) or over TLS (`tls`)."""

    path: str = ""
    tcp: str = ""
    tls: str = ""
    #: What the certificate is for, if not for the host of the address.
    server_name: str = ""

    def __str__(self) -> str:
        return self.path or self.tcp or f"tls:{self.tls}"


@dataclass(frozen=True, slots=True)
class Pem:
    """Certificates or a key: the text, or a file that is read for each connection."""

    text: str = ""
    file: Path | None = None

    def read(self) -> bytes:
        """The text. Raises OSError, which names the file."""
        return self.file.read_bytes() if self.file is not None else self.text.encode()


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client shows, and whom it trusts.

    Args:
        token: Sent with every call.
        admin_token: Sent in its place with calls that change the cluster for others; empty if there is none.
        ca: The authorities that certificates of services are to be by; None for those that grpcio comes with.
        identity: A certificate and its key, for services that ask for one.
    """

    token: str
    admin_token: str = ""
    ca: Pem | None = None
    identity: tuple[Pem, Pem] | None = None


#: Takes one message of the scheduler. Returns whether it wants another. Called on a thread of the transport's: it must
#: not block.
Received = Callable[["session_pb2.OpenSessionResponse"], bool]


class Requests(Protocol):
    """What is to be written on a session stream: encoded OpenSessionRequests.

    A transport either iterates, on a thread of its own, or polls whenever the line is free and waits in between. The end
    of either ends the client's side of the stream.
    """

    def __iter__(self) -> Iterator[bytes]: ...

    def poll(self) -> bytes | None:
        """The next message, if one is due. One thread at a time."""
        ...

    def wait(self) -> bool:
        """Blocks until there may be one. Returns False when there will be none any more."""
        ...

    def wake(self) -> None:
        """Ends a wait, or has an iteration look again. Never blocks."""
        ...


class SessionStream(Protocol):
    """One stream of TaskService.OpenSession."""

    def flush(self) -> None:
        """Has written what is due, if the line is free: at once and on this thread where the transport can."""
        ...

    def run(self) -> None:
        """Reads it until it ends, or until nobody wants another message. Raises TransportError if it breaks."""
        ...

    def cancel(self) -> None:
        """Breaks it. Idempotent, from any thread."""
        ...


class Connection(Protocol):
    """A connection to one service, made when it is first used. Safe to use from any thread."""

    def open_session(self, requests: Requests, received: Received) -> SessionStream:
        """Opens a session stream.

        Args:
            requests: Asked for the next message whenever the line is free.
            received: Given each message, in order, while the stream runs.
        """
        ...

    def call(self, method: str, request: Message, response: type[Response], timeout: float) -> Response:
        """Calls a unary method, such as "paraply.controller.v1.ClusterService/GetClusterInfo".

        Args:
            timeout: Seconds.

        Raises:
            TransportError: It failed, or the time was over.
        """
        ...

    def write_blob(self, header: blob_pb2.BlobHeader, data: memoryview, offset: int) -> blob_pb2.WriteBlobResponse:
        """Writes `data` from `offset` on. Returns how far that came. Raises TransportError."""
        ...

    def read_blob(self, blob_id: bytes, session_id: bytes, offset: int) -> Iterator[tuple[int, memoryview]]:
        """Reads a blob from `offset` on: pieces of it, each with its own offset, in order. Raises TransportError."""
        ...

    def close(self) -> None:
        """Ends everything that is under way on it. Idempotent."""
        ...


class Transport(Protocol):
    """A way to connect."""

    def connect(self, address: Address, credentials: Credentials, *, bulk: bool = False) -> Connection:
        """A connection, which is not tried yet.

        Args:
            credentials: Shown with every call.
            bulk: It is for blobs: it shares nothing with other connections to the same address.
        """
        ...
