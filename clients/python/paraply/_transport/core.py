"""A session's stream on grpcio's core, without the threads that its public interface has above it.

There a thread takes the channel's events, another takes requests from an iterator, a third waits for messages, and all of
them wait on one condition: a call of a task and its result wake them fourteen times. Here the thread that reads the session
waits for the events itself, and the thread that writes it for nothing but its own.

The core is `grpc._cython.cygrpc`, of which grpcio's public interface is made. It is not public: `core_of` gives it only
where it has the parts that are used here, and a client that gets none uses the public interface.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from paraply._proto.scheduler.v1 import session_pb2
from paraply._transport.base import Received, Requests
from paraply._transport.library import survives_forks
from paraply._transport.status import transport_error

if TYPE_CHECKING:
    import grpc

_PARTS = (
    "Channel",
    "ReceiveInitialMetadataOperation",
    "ReceiveMessageOperation",
    "ReceiveStatusOnClientOperation",
    "SegregatedCall",
    "SendCloseFromClientOperation",
    "SendInitialMetadataOperation",
    "SendMessageOperation",
    "StatusCode",
)
OPEN_SESSION = "/paraply.scheduler.v1.TaskService/OpenSession"
#: Seconds between two looks whether a stream that is to be ended has ended.
_LOOK = 0.1
#: What an event is of.
_STATUS, _METADATA, _MESSAGE, _SENT, _CLOSED = "status", "metadata", "message", "sent", "closed"


class Core(NamedTuple):
    """The core, and its end of a channel."""

    cygrpc: ModuleType
    channel: Any


def core_of(channel: grpc.Channel) -> Core | None:
    """The core below a channel, None where it is not as it is known here, or where others have put something between.

    A process that has asked grpcio to survive forks has it watch its own threads, of which ours are none.
    """
    if survives_forks():
        return None
    try:
        cygrpc = importlib.import_module("grpc._cython.cygrpc")
    except ImportError:
        return None
    inner = getattr(channel, "_channel", None)
    whole = all(hasattr(cygrpc, part) for part in _PARTS) and isinstance(inner, cygrpc.Channel)
    return Core(cygrpc, inner) if whole else None


class CoreSessionStream:
    """A session's call.

    Args:
        core: What `core_of` gave.
        metadata: Sent with the call.
        requests: See `Connection.open_session`.
        received: The same.
    """

    def __init__(
        self,
        core: Core,
        metadata: Sequence[tuple[str, str]],
        requests: Requests,
        received: Received,
    ) -> None:
        self._cygrpc = cygrpc = core.cygrpc
        self._requests = requests
        self._received = received
        #: Held by who may write the next message, and while one is on its way.
        self._line = threading.Lock()
        #: Somebody asked for a flush since the last look at the requests.
        self._asked = False
        # Guards `_events`: how many events are yet to come. After the last there must be no asking for one.
        self._lock = threading.Lock()
        self._events = 3
        begin = (
            ((cygrpc.SendInitialMetadataOperation(metadata, 0), cygrpc.ReceiveStatusOnClientOperation(0)), _STATUS),
            ((cygrpc.ReceiveInitialMetadataOperation(0),), _METADATA),
            ((cygrpc.ReceiveMessageOperation(0),), _MESSAGE),
        )
        self._call: Any = core.channel.segregated_call(
            0, OPEN_SESSION.encode(), None, None, metadata, None, begin, None
        )
        threading.Thread(target=self._write, name="paraply-writer", daemon=True).start()

    def run(self) -> None:
        """See `SessionStream.run`."""
        code, details, failure = 0, "", None
        wanted = True
        while self._events:
            event = self._call.next_event()
            with self._lock:
                self._events -= 1
            if event.tag is _SENT:
                self._line.release()
                self.flush()
            elif event.tag is _MESSAGE:
                message = event.batch_operations[0].message()
                if message is None or not wanted:
                    continue
                try:
                    wanted = self._received(session_pb2.OpenSessionResponse.FromString(message))
                except Exception as error:  # noqa: BLE001  # the events that are due come first
                    wanted, failure = False, error
                if wanted:
                    self._start(self._cygrpc.ReceiveMessageOperation(0), _MESSAGE)
                else:
                    self.cancel()
            elif event.tag is _STATUS:
                status = event.batch_operations[1]
                code, details = status.code(), status.details()
        if failure is not None:
            raise failure
        if wanted and code:
            raise transport_error(_names()[code], details)

    def cancel(self) -> None:
        """See `SessionStream.cancel`."""
        with self._lock:
            if self._events:
                self._call.cancel(self._cygrpc.StatusCode.cancelled, "the client has ended the stream")

    def flush(self) -> None:
        """See `SessionStream.flush`. Whoever finds the line taken leaves it to the thread that has it."""
        try:
            self._asked = True
            while self._asked and self._line.acquire(blocking=False):
                self._asked = False
                message = self._requests.poll()
                if message is not None and self._start(self._cygrpc.SendMessageOperation(message, 0), _SENT):
                    return  # The line is free again when it is out.
                self._line.release()
        except BaseException:
            # A message that was taken may be lost, as by Ctrl-C: the next stream of the session says it again.
            self.cancel()
            raise

    def _write(self) -> None:
        """Flushes when it is time, for the sake of what nobody else writes; and ends the client's side at the end."""
        self.flush()
        while self._requests.wait():
            self.flush()
        while not self._line.acquire(timeout=_LOOK):
            if not self._events:
                return
        self._start(self._cygrpc.SendCloseFromClientOperation(0), _CLOSED)

    def _start(self, operation: Any, tag: str) -> bool:
        """Has the core begin something. Returns whether an event will tell of it: there is none after the end."""
        with self._lock:
            begun: bool = self._events > 0 and self._call.operate((operation,), tag)
            self._events += begun
        return begun


def _names() -> dict[int, str]:
    import grpc

    return {status.value[0]: status.name for status in grpc.StatusCode}
