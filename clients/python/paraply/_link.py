"""A client's link to its cluster: the session machine with a transport below it and tasks above it.

One thread reads the session's stream, and makes another one when it breaks. The transport's own thread asks for what is
to be written. Users' threads only queue, and wait for tasks.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from paraply import _results, _traces
from paraply._blobs import Blobs
from paraply._dial import Dialler, Refused, check_protocol, peer_info
from paraply._engines import Engines
from paraply._fork import links
from paraply._line import Line
from paraply._notice import unfinished
from paraply._outage import Outage
from paraply._parting import LINGER, await_end
from paraply._proto.scheduler.v1 import session_pb2
from paraply._session.machine import Delivery, Session
from paraply._transport.base import Address, Connection, SessionStream, Transport, TransportError
from paraply.client import _wait

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from paraply._connection import ConnectionInfo
    from paraply._session.call import Blob
    from paraply.client._task import SubmittedCall, Task

    Response = TypeVar("Response", bound=Message)

#: Seconds that a scheduler may take to welcome a session.
WELCOME_TIMEOUT = 5.0
#: Pauses between attempts to connect: the first, and the longest, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
#: Seconds that a transfer waits for the link to come up again.
RECONNECT_TIMEOUT = 3600.0
#: Finished tasks that can be asked for though nobody holds them.
RECENT = 128
_CLOSED = "this client is closed"
_UNREAD = "a large result stays at the cluster until it is read: read it, with get(), before rc.close()"
_NOT_OURS = "this client belongs to the parent process: make a Client() after the fork"


class Link:
    """One session with one cluster.

    Args:
        info: The cluster.
        transport: How to reach it.
        label: For people: shown by `paraply status`.
        cancel_on_disconnect: Queued tasks are aborted when this process vanishes.
    """

    def __init__(
        self, info: ConnectionInfo, transport: Transport, *, label: str = "", cancel_on_disconnect: bool = False
    ) -> None:
        session_id = os.urandom(16)
        self.session_hex = session_id.hex()
        self.engines = Engines()
        self.dialler = Dialler(info, transport)
        self._session: Session[Task] = Session(session_id, peer_info(), label, cancel_on_disconnect)
        self.blobs = Blobs(session_id, self, self._release)
        #: The last tasks that have finished with little to keep.
        self._recent: deque[Task] = deque(maxlen=RECENT)
        self._lock = threading.Lock()
        self._line: Line | None = None
        self._stream: SessionStream | None = None
        # Guards what follows, and is notified when the link comes up or goes down for good.
        self._changed = threading.Condition()
        self._connection: Connection | None = None
        self._bulk: Connection | None = None
        self._failure: Exception | None = None
        self._address = Address()
        self._ending = False
        self._outage: Outage | None = None
        # How it ends: tasks are left to run on, and until when what was submitted may take to reach the scheduler.
        self._leaves = not cancel_on_disconnect
        self._leave_by: float | None = None
        #: Blobs on their way into the store. `_lock` guards it.
        self._uploads = 0
        #: Blobs that were kept here and go into the store, because this client leaves.
        self._leaving: set[Blob] = set()
        #: Gives tasks that wait and that the session may not know of. For a forked child, where nobody will bring them.
        self.unfinished: Callable[[], Iterable[Task]] = tuple
        self._thread = threading.Thread(target=self._run, name="paraply-session", daemon=True)

    # For users' threads.

    def start(self, timeout: float) -> None:
        """Connects.

        Args:
            timeout: Seconds to try.

        Raises:
            OSError: The cluster does not answer, or refuses this client.
        """
        links.add(self)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._connection or self._failure, timeout)
            connected, failure = self._connection is not None, self._failure
        if connected:
            return
        self.close()
        if failure is not None:
            raise failure
        problems = self.dialler.why() or "no address answered"
        raise ConnectionError(
            f"No cluster answers at the addresses of {self.dialler.info.source()} ({problems}). "
            "Is it running? Start one with `paraply start -n 4`."
        )

    def submit(self, call: SubmittedCall) -> None:
        """Queues a call. Raises OSError if the link is closed or lost."""
        with self._lock:
            self.check_open()
            self._session.submit(call)
            stream = self._stream
        if stream is not None:
            stream.flush()
        if call.blobs and not call.keeps_blobs:
            self._store_blobs(call)

    def cancel(self, indexes: Iterable[int], mode: session_pb2.CancelMode, kill_after: float | None = None) -> None:
        """Cancels tasks that are not finished.

        Args:
            kill_after: Seconds after which the engine process of one that still runs is ended.
        """
        with self._lock:
            self._session.cancel(indexes, mode, kill_after)
        self._wake()

    def outstanding(self) -> list[int]:
        """Indexes of the tasks that are not finished."""
        with self._lock:
            return self._session.outstanding()

    def pending_task(self, index: int) -> Task | None:
        """The task of an index, if it is not finished."""
        with self._lock:
            return self._session.slot(index)

    def recent_task(self, msg_id: str) -> Task | None:
        """A task that has finished not long ago, though nobody may hold it."""
        with self._lock:
            return next((task for task in self._recent if task.msg_id == msg_id), None)

    def forget_recent(self, tasks: Container[Task]) -> None:
        """Makes `recent_task` not find these any more."""
        with self._lock:
            self._recent = deque((task for task in self._recent if task not in tasks), RECENT)

    @property
    def submitted(self) -> int:
        """How many tasks were submitted."""
        return self._session.next_index

    def load(self, kept: _results.Kept) -> Any:
        """Reads a result."""
        return _results.load(kept, self.blobs)

    def call(self, method: str, request: Message, response: type[Response], timeout: float = 10.0) -> Response:
        """Calls a unary method of either service, which pass on each other's calls.

        Raises:
            TransportError: It failed.
            OSError: The link is closed or lost.
        """
        return self._connected(timeout).call(method, request, response, timeout)

    def check_open(self) -> None:
        """Raises OSError if the link is closed or lost."""
        if self._failure is not None:
            raise type(self._failure)(*self._failure.args)

    @property
    def closed(self) -> bool:
        """Whether it was closed, or is lost for good."""
        return self._failure is not None

    # For the blobs.

    def bulk_connection(self, failed: Connection | None) -> Connection:
        """See `Roads.bulk_connection`."""
        self._connected(RECONNECT_TIMEOUT)
        with self._changed:
            if self._bulk is failed and failed is not None:
                failed.close()
                self._bulk = None
            if self._bulk is None:
                address = self._address
                self._bulk = self.dialler.connect(address, bulk=True)
            return self._bulk

    def _connected(self, timeout: float) -> Connection:
        with self._changed:
            self._changed.wait_for(lambda: self._connection or self._failure, timeout)
            self.check_open()
            if self._connection is None:
                raise ConnectionError(f"the cluster has not answered for {timeout:g} seconds")
            return self._connection

    def _wake(self) -> None:
        line = self._line
        if line is not None:
            line.wake()

    def _release(self, blob_id: bytes) -> None:
        self._session.released.append(blob_id)
        self._wake()

    def _store_blobs(self, call: SubmittedCall) -> None:
        blobs = list(call.blobs)
        with self._lock:
            self._uploads += len(blobs)
        for blob in blobs:
            self._store_blob(call, blob)

    def _store_blob(self, call: SubmittedCall, blob: Blob) -> None:
        """Has a blob stored. It is among `_uploads` already."""
        tasks = call.tasks()
        if blob.task is not None:
            tasks = [tasks[blob.task]]

        def done(refused: Exception | None) -> None:
            with self._lock:
                self._uploads -= 1
                if call.keeps_blobs:
                    self._session.let_go(blob.blob_id)
                else:
                    call.blob_settled(blob)
            if self._leave_by is not None:
                self._wake()
            if refused is not None and not self.closed:
                for task in tasks:
                    with _wait.completion:
                        task.doom(ConnectionError(f"an argument could not be sent: {refused}"))
                self.cancel([task.index for task in tasks], session_pb2.CANCEL_MODE_ABORT)

        self.blobs.store(blob, done)

    def _store_kept(self) -> None:
        """This client leaves: what it keeps of arguments goes into the store."""
        with self._lock:
            kept = [(call, blob) for call, blob in self._session.kept() if blob not in self._leaving]
            self._uploads += len(kept)
            self._leaving.update(blob for _, blob in kept)
        for call, blob in kept:
            self._store_blob(cast("SubmittedCall", call), blob)

    # The end.

    def close(self, linger: float = LINGER) -> None:
        """Ends the session. Idempotent.

        Tasks that are not finished are left to run, once the scheduler has all calls that were made; with
        `cancel_on_disconnect` those that wait are aborted.

        Args:
            linger: Seconds that the calls may take to reach the scheduler.
        """
        self.end_soon(linger)
        try:
            if self._thread.is_alive() and threading.current_thread() is not self._thread:
                with self._changed:
                    self._changed.notify_all()
                await_end(self._thread, time.monotonic() + linger, self._missing)
        finally:
            self._give_up(ConnectionError(_CLOSED))

    def end_soon(self, linger: float = LINGER) -> None:
        """The same without waiting. Never blocks: finalizers call it."""
        end = time.monotonic() + linger
        self._leave_by = end if self._leave_by is None else min(self._leave_by, end)
        self._wake()

    def _has_arrived(self) -> bool:
        """Whether the scheduler has all that was submitted. `_lock` is held."""
        return self._session.all_accepted and not self._uploads and not self._session.kept()

    def _is_over(self) -> bool:
        """Whether there is nothing to connect for any more."""
        if self._ending or self._leave_by is None:
            return self._ending
        with self._lock:
            return not self._leaves or self._has_arrived() or time.monotonic() >= self._leave_by

    def _missing(self) -> str:
        """What the scheduler does not have yet, for people."""
        with self._lock:
            if not self._leaves or self._has_arrived():
                return ""
            tasks = len(self._session.outstanding())
        return f"all calls that were made ({unfinished(tasks)})"

    def disown(self) -> Any:
        """In a forked child: the connections and all that is under way are the parent's. Returns what must be kept."""
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._failure = failure = ConnectionError(_NOT_OURS)
        self._ending = True
        inherited = self._line, self._stream, self._connection, self._bulk
        self._line = self._stream = self._connection = self._bulk = None
        self.engines.after_fork()
        self.blobs.after_fork(failure)
        _wait.orphan([*self._session.abandon(), *self.unfinished()], failure)
        return inherited

    def _give_up(self, failure: Exception) -> None:
        with self._changed:
            if self._failure is not None:
                return
            self._failure = failure
            bulk, self._bulk = self._bulk, None
            self._changed.notify_all()
        self._ending = True
        self._end_outage(answered=False)
        with self._lock:
            tasks = self._session.abandon()
        self.break_stream()
        if bulk is not None:
            bulk.close()
        self.blobs.close(ConnectionError(f"{failure}: {_UNREAD}"))
        self.engines.wake()
        links.discard(self)
        if _traces.under_way:
            _traces.given_up(tasks, failure)
        _wait.fail(tasks, failure, time.time())

    def break_stream(self) -> None:
        """Breaks the present stream, if there is one."""
        stream = self._stream
        if stream is not None:
            stream.cancel()

    # The thread that reads.

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._is_over():
            try:
                if self._attempt():
                    pause = FIRST_PAUSE
                elif self.dialler.is_stopped():
                    raise Refused(f"The cluster of {self.dialler.info.source()} was stopped")
            except Exception as failure:  # noqa: BLE001  # Refused, or what nobody thought of: nobody waits for ever
                self._give_up(failure)
            with self._changed:
                self._changed.wait_for(self._is_over, pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE)
        self._give_up(ConnectionError(_CLOSED))

    def _silence(self) -> str:
        """What to tell of an outage; empty while nobody waits."""
        with self._lock:
            tasks = len(self._session.outstanding())
        if not tasks:
            return ""
        problem = self.dialler.why()
        return (
            f"the cluster of {self.dialler.info.source()} does not answer{f' ({problem})' if problem else ''}: "
            f"{unfinished(tasks)}, trying again until it does"
        )

    def _end_outage(self, *, answered: bool) -> None:
        outage, self._outage = self._outage, None
        if outage is not None:
            outage.end(answered=answered)

    def _attempt(self) -> bool:
        """Serves one stream until it breaks. Returns whether there was one."""
        for address in self.dialler.candidates():
            if self._is_over():
                return False
            connection = self.dialler.connect(address)
            try:
                if self._serve(address, connection):
                    return True
            except TransportError as failure:
                self.dialler.failed(address, failure)
            finally:
                connection.close()
        return False

    def _serve(self, address: Address, connection: Connection) -> bool:
        """Opens a stream and reads it until it breaks. Returns whether a scheduler of this cluster was there."""
        line = Line(self._next_message)
        serving = _Serving(self, line, address, connection)
        with self._lock:
            self._session.connected()
            self._line = line
            self._stream = stream = connection.open_session(line, serving.received)
        serving.watchdog.start()
        try:
            stream.run()
        except TransportError:
            if not serving.welcomed:
                raise
        finally:
            serving.watchdog.cancel()
            with self._lock:
                self._line = self._stream = None
                self._session.broken()
            line.end()
            stream.cancel()
            self._went_down()
        return serving.welcomed

    def is_ours(self, response: session_pb2.OpenSessionResponse, address: Address) -> bool:
        """Whether the first message of a stream is no welcome of another cluster's. Raises Refused for another protocol."""
        if not response.HasField("welcome"):
            return True
        check_protocol(response.welcome.scheduler, "scheduler")
        return self.dialler.check_cluster(response.welcome.cluster_id, address)

    def came_up(self, address: Address, connection: Connection) -> None:
        """There is a scheduler at the other end, which has welcomed this session."""
        self.dialler.works(address)
        self._end_outage(answered=True)
        with self._changed:
            self._address = address
            self._connection = connection
            self._changed.notify_all()

    def _went_down(self) -> None:
        with self._changed:
            if self._connection is not None and self._failure is None:
                self._outage = Outage(self._silence)
            self._connection = None
            bulk, self._bulk = self._bulk, None
        if bulk is not None:
            bulk.close()

    def _next_message(self, line: Line, now: float) -> bytes | None:
        """For whoever writes, which may be the thread of a stream that broke."""
        with self._lock:
            if self._line is not line:
                return None
            if self._leave_by is None:
                message = self._session.next_message(now)
                line.due = self._session.next_timeout()
                return message
            message = self._next_of_last_messages(line, now, self._leave_by)
            line.due = self._leave_by
        if self._leaves:
            self._store_kept()
        return message

    def _next_of_last_messages(self, line: Line, now: float, end: float) -> bytes | None:
        """What is still to be said by a client that is being closed. `_lock` is held."""
        left_behind = self._leaves and self._session.outstanding()
        if not left_behind:
            self._ending = True
            self._session.close()
        message = self._session.next_message(now)
        if message is None and left_behind and (self._has_arrived() or now >= end):
            self._ending = True
            line.end()
        return message

    def received(self, response: session_pb2.OpenSessionResponse, line: Line) -> bool:
        """Takes a message. Returns whether there may be more on this stream."""
        with self._lock:
            delivery = self._session.received(response, time.monotonic())
            line.due = self._session.next_timeout()
            stream = self._stream
        if stream is not None and (delivery.reply or self._leave_by is not None):
            stream.flush()
        line.hurry()
        self._deliver(delivery)
        if delivery.ended is not None:
            self._give_up(Refused(delivery.ended) if self._leave_by is None else ConnectionError(_CLOSED))
        elif delivery.hang_up is not None:
            self.dialler.problems.append(delivery.hang_up)
        return delivery.ended is None and delivery.hang_up is None

    def _deliver(self, delivery: Delivery[Task]) -> None:
        if delivery.engines is not None:
            self.engines.replace(delivery.engines)
        if delivery.membership:
            self.engines.update(delivery.membership)
        for task, claim in delivery.claimed:
            task.claimed(claim)
        listeners = {task.wrote(output) for task, output in delivery.output}
        for listener in listeners:
            if listener is not None:
                listener()
        if delivery.finished:
            if _traces.under_way:
                _traces.finished(delivery.finished)
            _wait.complete(delivery.finished, time.time())
            last = [task for task, _ in delivery.finished[-RECENT:] if task.is_small()]
            with self._lock:
                self._recent += last
        for blob, want in delivery.wanted:
            self.blobs.pass_on(blob, want)
        for blob_id in delivery.lacking:
            self._release(blob_id)
        for call in delivery.replayed:
            if not call.keeps_blobs:
                self._store_blobs(cast("SubmittedCall", call))


class _Serving:
    """One stream being read."""

    def __init__(self, link: Link, line: Line, address: Address, connection: Connection) -> None:
        self._link = link
        self._line = line
        self._address = address
        self._connection = connection
        self.watchdog = threading.Timer(WELCOME_TIMEOUT, link.break_stream)
        self.watchdog.daemon = True
        self.welcomed = False

    def received(self, response: session_pb2.OpenSessionResponse) -> bool:
        """Takes a message. Returns whether there may be more."""
        if self.welcomed:
            return self._link.received(response, self._line)
        self.watchdog.cancel()
        if not self._link.is_ours(response, self._address) or not self._link.received(response, self._line):
            return False
        self.welcomed = True
        self._link.came_up(self._address, self._connection)
        return True
