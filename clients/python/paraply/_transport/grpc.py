"""The transport over grpcio: one channel a connection, made when it is first used."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from paraply._proto.blob.v1 import blob_pb2
from paraply._proto.scheduler.v1 import session_pb2
from paraply._transport.base import Address, Connection, Credentials, Received, Requests, SessionStream, TransportError
from paraply._transport.core import OPEN_SESSION, CoreSessionStream, core_of
from paraply._transport.frames import CHUNK_BYTES, read_response, write_requests
from paraply._transport.library import library
from paraply._transport.status import transport_error

if TYPE_CHECKING:
    from types import ModuleType

    import grpc
    from google.protobuf.message import Message

    from paraply._transport.base import Response

#: Streams carry messages of at most 1 MiB, and what frames them.
_MESSAGE_BYTES = max(CHUNK_BYTES, 1 << 20) * 4
_OPTIONS: list[tuple[str, int | str]] = [
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MESSAGE_BYTES),
    # Notices a peer that vanished without a word.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # The client dials again by itself; a channel that failed is thrown away.
    ("grpc.enable_retries", 0),
    # Nothing is shared with another connection to the same address: bulk does not delay control.
    ("grpc.use_local_subchannel_pool", 1),
]
#: Methods that change the cluster for others: they take the admin's token, where there is one.
ADMIN_METHODS = frozenset(
    {
        "paraply.controller.v1.ClusterService/DrainEngine",
        "paraply.controller.v1.ClusterService/RemoveEngine",
        "paraply.controller.v1.ClusterService/ScaleEngines",
        "paraply.controller.v1.ClusterService/SignalEngines",
        "paraply.scheduler.v1.TaskService/CancelTasks",
        "paraply.scheduler.v1.TaskService/PurgeTasks",
    }
)


def _bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


class GrpcTransport:
    """Connects with grpcio."""

    def connect(self, address: Address, credentials: Credentials, *, bulk: bool = False) -> Connection:
        """See `Transport.connect`."""
        return GrpcConnection(address, credentials, bulk=bulk)


class GrpcConnection:
    """A channel."""

    def __init__(self, address: Address, credentials: Credentials, *, bulk: bool = False) -> None:
        self._address = address
        self._credentials = credentials
        self._metadata = _bearer(credentials.token)
        self._bulk = bulk
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._closed = False

    def _get_channel(self) -> grpc.Channel:
        with self._lock:
            if self._closed:
                raise TransportError("CANCELLED", "the connection is closed")
            if self._channel is None:
                self._channel = self._make_channel()
            return self._channel

    def _make_channel(self) -> grpc.Channel:
        grpcio = library()
        options = list(_OPTIONS)
        if self._address.tls:
            name = self._address.server_name
            if name:
                options += [("grpc.ssl_target_name_override", name), ("grpc.default_authority", name)]
            return cast("grpc.Channel", grpcio.secure_channel(self._address.tls, self._tls(grpcio), options))
        if not self._address.path:
            return cast("grpc.Channel", grpcio.insecure_channel(self._address.tcp, options))
        # grpcio would send the socket's path as the authority, which HTTP/2 servers refuse.
        options.append(("grpc.default_authority", "localhost"))
        return cast("grpc.Channel", grpcio.insecure_channel(f"unix:{self._address.path}", options))

    def _tls(self, grpcio: ModuleType) -> grpc.ChannelCredentials:
        """What is shown and trusted: files are read here, so a new one counts from the next connection on."""
        ca, identity = self._credentials.ca, self._credentials.identity
        try:
            roots = None if ca is None else ca.read()
            cert, key = (None, None) if identity is None else (pem.read() for pem in identity)
        except OSError as error:
            raise TransportError("UNAVAILABLE", f"cannot read {error.filename}: {error.strerror}") from None
        made = grpcio.ssl_channel_credentials(root_certificates=roots, private_key=key, certificate_chain=cert)
        return cast("grpc.ChannelCredentials", made)

    def open_session(self, requests: Requests, received: Received) -> SessionStream:
        """See `Connection.open_session`."""
        channel = self._get_channel()
        core = core_of(channel)
        if core is not None:
            make = functools.partial(CoreSessionStream, core, self._metadata, requests, received)
            return cast("SessionStream", _translated(make))
        stream = GrpcSessionStream(requests, received)
        method = channel.stream_stream(
            OPEN_SESSION,
            request_serializer=None,
            response_deserializer=stream.take,
        )
        stream.call = _translated(lambda: method(iter(requests), metadata=self._metadata))
        return stream

    def call(self, method: str, request: Message, response: type[Response], timeout: float) -> Response:
        """See `Connection.call`."""
        stub = self._get_channel().unary_unary(
            f"/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        admin = self._credentials.admin_token
        metadata = _bearer(admin) if admin and method in ADMIN_METHODS else self._metadata
        return cast("Response", _translated(lambda: stub(request, timeout=timeout, metadata=metadata)))

    def write_blob(self, header: blob_pb2.BlobHeader, data: memoryview, offset: int) -> blob_pb2.WriteBlobResponse:
        """See `Connection.write_blob`."""
        method = self._get_channel().stream_unary(
            "/paraply.blob.v1.BlobService/WriteBlob",
            request_serializer=None,
            response_deserializer=blob_pb2.WriteBlobResponse.FromString,
        )
        requests = write_requests(header, data, offset)
        return cast("blob_pb2.WriteBlobResponse", _translated(lambda: method(requests, metadata=self._metadata)))

    def read_blob(self, blob_id: bytes, session_id: bytes, offset: int) -> Iterator[tuple[int, memoryview]]:
        """See `Connection.read_blob`."""
        method = self._get_channel().unary_stream(
            "/paraply.blob.v1.BlobService/ReadBlob",
            request_serializer=blob_pb2.ReadBlobRequest.SerializeToString,
            response_deserializer=None,
        )
        request = blob_pb2.ReadBlobRequest(blob_id=blob_id, session_id=session_id, offset=offset)
        frames = _translated(lambda: method(request, metadata=self._metadata))
        for frame in _translated_stream(frames):
            yield read_response(frame)

    def close(self) -> None:
        """See `Connection.close`."""
        with self._lock:
            self._closed = True
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()


class GrpcSessionStream:
    """A session's call, where `core_of` gives nothing.

    grpcio hands a message to the thread that iterates, and reads it before that, on its own. Messages are taken there
    and then, as part of reading them: one thread less to wake for every result.
    """

    def __init__(self, requests: Requests, received: Received) -> None:
        #: See `SessionStream.flush`.
        self.flush = requests.wake
        self._received = received
        self._failure: Exception | None = None
        self.call: Any = None

    def take(self, encoded: bytes) -> bool:
        """Takes a message. Returns whether there may be more."""
        try:
            return self._received(session_pb2.OpenSessionResponse.FromString(encoded))
        except Exception as failure:  # noqa: BLE001  # grpcio would only log it
            self._failure = failure
            return False

    def run(self) -> None:
        """See `SessionStream.run`."""
        for more in _translated_stream(self.call):
            if not more:
                break
        if self._failure is not None:
            raise self._failure

    def cancel(self) -> None:
        """See `SessionStream.cancel`."""
        self.call.cancel()


def _translated(call: Callable[[], Any]) -> Any:
    import grpc

    try:
        return call()
    except grpc.RpcError as failure:
        raise _error(failure) from None
    except ValueError as closed:  # what grpcio says of a channel that was closed meanwhile
        raise TransportError("CANCELLED", str(closed)) from None


def _translated_stream(stream: Iterable[Any]) -> Iterator[Any]:
    import grpc

    try:
        yield from stream
    except grpc.RpcError as failure:
        raise _error(failure) from None


def _error(failure: Any) -> TransportError:
    return transport_error(failure.code().name, failure.details())
