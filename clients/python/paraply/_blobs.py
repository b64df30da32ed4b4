"""Bytes too large for a message: those of arguments go into the store, or to the one engine that reads them; those of
results come when somebody reads them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, chain, repeat
from typing import TYPE_CHECKING, Protocol

from paraply._pages import pages
from paraply._proto.blob.v1 import blob_pb2
from paraply._serialize import BytesLike
from paraply._transport.base import Connection, TransportError
from paraply._workers import Workers

if TYPE_CHECKING:
    from paraply._proto.common.v1 import payload_pb2
    from paraply._session.call import Blob

#: Transfers at a time, each way. Python copies with its lock held, so more would only take turns.
TRANSFERS = 4
#: Of arrays whose memory is shared, in bytes.
_ALIGNMENT = 64
_RETRIED = frozenset({"UNAVAILABLE", "INTERNAL", "UNKNOWN", "DEADLINE_EXCEEDED", "CANCELLED"})
#: Pauses between attempts, in seconds: a way that fails for longer than their sum is not a way.
_DELAYS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6)
#: Between attempts to pass a blob on after these, in seconds.
LONGEST_DELAY = 5.0
_NO_WAY = "the blob store could not be reached for a minute"
_METHOD = "paraply.blob.v1.BlobService/QueryWriteStatus"


class Roads(Protocol):
    """Where the connection for blobs comes from."""

    def bulk_connection(self, failed: Connection | None) -> Connection:
        """The present one; not `failed`, which broke. Waits for it. Raises ConnectionError when there will be none."""
        ...


class ResultBlob:
    """A part of a result that stays at its engine, or in the store, until it has been read or nobody can ask for it."""

    __slots__ = ("__weakref__", "_release", "blob_id", "size")

    def __init__(self, blob_id: bytes, size: int, release: Callable[[bytes], None]) -> None:
        self.blob_id = blob_id
        self.size = size
        self._release = release

    def __del__(self) -> None:
        self._release(self.blob_id)


#: Bytes of a result, or where they are.
Part = BytesLike | ResultBlob


class Blobs:
    """Transfers of one session.

    Args:
        session_id: Who pays for what is uploaded.
        release: Tells the scheduler that a blob is not needed any more. Called from finalizers: it must not lock.
    """

    def __init__(self, session_id: bytes, roads: Roads, release: Callable[[bytes], None]) -> None:
        self._session_id = session_id
        self._roads = roads
        self._release = release
        self._readers = Workers("paraply-reads", TRANSFERS)
        self._writers = Workers("paraply-writes", TRANSFERS)
        #: Why there are no more transfers.
        self._closed: ConnectionError | None = None

    def close(self, why: ConnectionError) -> None:
        """Ends the threads. `why` is what those are told who want something transferred."""
        self._closed = why
        self._readers.close()
        self._writers.close()

    def after_fork(self, why: ConnectionError) -> None:
        """In a forked child, which has none of the threads: nothing is transferred any more."""
        self._readers.after_fork()
        self._writers.after_fork()
        self.close(why)

    def result(self, ref: payload_pb2.BlobRef) -> ResultBlob:
        """A part of a result, to be fetched later if at all."""
        return ResultBlob(ref.blob_id, ref.size_bytes, self._release)

    def store(self, blob: Blob, done: Callable[[Exception | None], None]) -> None:
        """Has the scheduler store a blob, in the background, again and again as long as the way is what fails. Then calls
        `done`, with what was wrong if the scheduler refused it."""

        def job() -> None:
            try:
                if self._store(blob.blob_id, blob.data):
                    blob.data = None
            except Exception as refused:  # noqa: BLE001  # whatever it is, the task that waits for it fails by it
                done(refused)
            else:
                done(None)

        if not self._writers.run(job):
            done(self._closed)

    def pass_on(self, blob: Blob, want: payload_pb2.BlobWant) -> None:
        """Writes a blob to who reads it, in the background. Who does not get all of it asks again."""
        data = blob.data
        if data is not None:
            self._writers.run(lambda: self._pass_on(want, memoryview(data).cast("B")))

    def _pass_on(self, want: payload_pb2.BlobWant, data: memoryview) -> None:
        header = blob_pb2.BlobHeader(
            blob_id=want.blob_id, size_bytes=data.nbytes, session_id=self._session_id, transfer_id=want.transfer_id
        )
        with contextlib.suppress(ConnectionError):
            # Until the reader has it or has left: nobody else can tell it that there is no way.
            for connection in self._ways(chain(_DELAYS, repeat(LONGEST_DELAY))):
                try:
                    connection.write_blob(header, data, want.offset)
                    return
                except TransportError as failure:
                    if failure.code not in _RETRIED:
                        return

    def _ways(self, delays: Iterable[float] = _DELAYS) -> Iterator[Connection]:
        """Connections to try, one after the other: each but the first after a pause, and in place of one that failed."""
        failed: Connection | None = None
        for delay in delays:
            failed = self._roads.bulk_connection(failed)
            yield failed
            time.sleep(delay)

    def _store(self, blob_id: bytes, data: BytesLike | None) -> bool:
        """Returns whether it outlives the scheduler, so that it need not be kept here."""
        view = None if data is None else memoryview(data).cast("B")
        for attempt, connection in enumerate(self._ways()):
            try:
                if view is None:
                    return self._is_stored(connection, blob_id)
                offset = self._progress(connection, blob_id).committed_bytes if attempt else 0
                header = blob_pb2.BlobHeader(blob_id=blob_id, size_bytes=view.nbytes, session_id=self._session_id)
                answer = connection.write_blob(header, view, offset)
                if answer.committed_bytes >= view.nbytes:
                    return answer.durable
            except TransportError as failure:
                if failure.code not in _RETRIED:
                    raise
        raise ConnectionError(_NO_WAY)

    def _is_stored(self, connection: Connection, blob_id: bytes) -> bool:
        """Whether a restarted scheduler has a blob that is not here any more. Raises ConnectionError if it has not."""
        progress = self._progress(connection, blob_id)
        if not progress.size_bytes or progress.committed_bytes < progress.size_bytes:
            raise ConnectionError("the scheduler was restarted and has lost it, and it was not kept here")
        return True

    @staticmethod
    def _progress(connection: Connection, blob_id: bytes) -> blob_pb2.QueryWriteStatusResponse:
        """What the store has of a blob."""
        try:
            return connection.call(
                _METHOD,
                blob_pb2.QueryWriteStatusRequest(blob_id=blob_id),
                blob_pb2.QueryWriteStatusResponse,
                timeout=10.0,
            )
        except TransportError as failure:
            if failure.code == "NOT_FOUND":
                return blob_pb2.QueryWriteStatusResponse()
            raise

    def fetch(self, parts: Sequence[Part], *, joined: bool = False) -> list[BytesLike]:
        """The bytes of `parts`, those that are elsewhere fetched side by side. The caller waits where Ctrl-C works.

        Args:
            joined: Those that are fetched are to lie one after the other in the same memory, where that suits them.

        Raises:
            ConnectionError: The cluster is gone, or has lost them.
        """
        fetched: list[BytesLike | Exception] = [b"" if isinstance(part, ResultBlob) else part for part in parts]
        positions = [position for position, part in enumerate(parts) if isinstance(part, ResultBlob)]
        rooms = _rooms([part.size for part in parts if isinstance(part, ResultBlob)], joined=joined)
        # Taken by several threads: each part with its room.
        missing = deque(zip(positions, rooms, strict=True))
        finished = threading.Semaphore(0)

        def job() -> None:
            position, room = missing.popleft()
            part = parts[position]
            assert isinstance(part, ResultBlob)
            try:
                self._download(part, room)
                fetched[position] = room
            except Exception as failure:  # noqa: BLE001  # raised below, where somebody waits for it
                fetched[position] = self._closed or failure
            finally:
                finished.release()

        jobs = [self._readers.run(job) for _ in missing.copy()]
        for _ in filter(None, jobs):
            finished.acquire()
        if not all(jobs) and self._closed is not None:
            raise type(self._closed)(*self._closed.args)
        return [_or_raise(part) for part in fetched]

    def _download(self, blob: ResultBlob, room: BytesLike) -> None:
        reached = 0
        with memoryview(room) as view:
            for connection in self._ways():
                try:
                    for offset, piece in connection.read_blob(blob.blob_id, self._session_id, reached):
                        skipped = reached - offset
                        if skipped < 0 or offset + len(piece) > blob.size:
                            raise ConnectionError(f"the blob store sent bytes at {offset} where {reached} was due")
                        view[reached : offset + len(piece)] = piece[skipped:]
                        reached = max(reached, offset + len(piece))
                except TransportError as failure:
                    if failure.code not in _RETRIED:
                        raise ConnectionError(_lost(failure)) from None
                if reached == blob.size:
                    return
        raise ConnectionError(_NO_WAY)


def _rooms(sizes: list[int], *, joined: bool) -> deque[BytesLike]:
    """Memory for each of so many bytes."""
    # Arrays are aligned as their memory is: what follows bytes of odd length would not be.
    if not joined or any(size % _ALIGNMENT for size in sizes):
        return deque(pages.room(size) for size in sizes)
    whole = memoryview(pages.room(sum(sizes)))
    return deque(whole[end - size : end] for size, end in zip(sizes, accumulate(sizes), strict=True))


def _lost(failure: TransportError) -> str:
    if failure.code == "NOT_FOUND":
        return f"the result's bytes are gone: {failure.message}"
    return f"the result's bytes cannot be read: {failure}"


def _or_raise(part: BytesLike | Exception) -> BytesLike:
    if isinstance(part, ConnectionError):
        raise type(part)(*part.args)  # it may be that of several readers, and each adds to its traceback
    if isinstance(part, Exception):
        raise part
    return part
