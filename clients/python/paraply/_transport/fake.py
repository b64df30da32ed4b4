"""A transport without a network, for unit tests: the test plays the services."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from paraply._proto.blob.v1 import blob_pb2
from paraply._proto.scheduler.v1 import session_pb2
from paraply._transport.base import Address, Connection, Credentials, Received, Requests, SessionStream, TransportError

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from paraply._transport.base import Response

#: Answers one request of a session stream with any number of messages.
Answer = Callable[[session_pb2.OpenSessionRequest], list[session_pb2.OpenSessionResponse]]


class FakeTransport:
    """Connects to functions.

    Args:
        answer: Plays the scheduler on session streams.
        unary: Answers unary calls, by method. One that is not there is UNAVAILABLE.
    """

    def __init__(self, answer: Answer, unary: dict[str, Callable[[Any], Any]] | None = None) -> None:
        self.answer = answer
        self.unary = unary or {}
        self.blobs: dict[bytes, bytearray] = {}
        self.streams: list[FakeStream] = []

    def connect(self, address: Address, credentials: Credentials, *, bulk: bool = False) -> Connection:
        """See `Transport.connect`."""
        return FakeConnection(self)


class FakeConnection:
    """A connection to a `FakeTransport`."""

    def __init__(self, transport: FakeTransport) -> None:
        self._transport = transport

    def open_session(self, requests: Requests, received: Received) -> SessionStream:
        """See `Connection.open_session`."""
        stream = FakeStream(self._transport, requests, received)
        self._transport.streams.append(stream)
        return stream

    def call(self, method: str, request: Message, response: type[Response], timeout: float) -> Response:
        """See `Connection.call`."""
        if method not in self._transport.unary:
            raise TransportError("UNAVAILABLE", f"nothing answers {method}")
        answer: Response = self._transport.unary[method](request)
        return answer

    def write_blob(self, header: blob_pb2.BlobHeader, data: memoryview, offset: int) -> blob_pb2.WriteBlobResponse:
        """See `Connection.write_blob`."""
        self._transport.blobs.setdefault(header.blob_id, bytearray())[offset:] = data[offset:]
        return blob_pb2.WriteBlobResponse(committed_bytes=len(data))

    def read_blob(self, blob_id: bytes, session_id: bytes, offset: int) -> Iterator[tuple[int, memoryview]]:
        """See `Connection.read_blob`."""
        yield offset, memoryview(self._transport.blobs[blob_id])[offset:]

    def close(self) -> None:
        """See `Connection.close`."""


class FakeStream:
    """A session stream: a thread takes requests, as a transport's would, and queues the answers."""

    def __init__(self, transport: FakeTransport, requests: Requests, received: Received) -> None:
        self._received = received
        #: Has the thread look again.
        self.flush = requests.wake
        self._messages: SimpleQueue[session_pb2.OpenSessionResponse | None] = SimpleQueue()
        #: Those that were answered.
        self.requests: list[session_pb2.OpenSessionRequest] = []
        #: Whether the client has ended its side.
        self.ended = False
        threading.Thread(target=self._write, args=(transport, requests), daemon=True).start()

    def _write(self, transport: FakeTransport, requests: Requests) -> None:
        for encoded in requests:
            request = session_pb2.OpenSessionRequest.FromString(encoded)
            for message in transport.answer(request):
                self.send(message)
            self.requests.append(request)
            if request.HasField("close"):
                self.cancel()
        self.ended = True
        self.cancel()

    def send(self, message: session_pb2.OpenSessionResponse) -> None:
        """Has the client receive a message."""
        self._messages.put(message)

    def run(self) -> None:
        """See `SessionStream.run`."""
        while (message := self._messages.get()) is not None and self._received(message):
            pass

    def cancel(self) -> None:
        """See `SessionStream.cancel`."""
        self._messages.put(None)
