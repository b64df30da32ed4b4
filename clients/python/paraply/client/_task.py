"""One task of one call, as its client sees it: what has been said about it so far, and its result."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from paraply import error
from paraply._results import KeptParts, fetch, is_pickled, keep
from paraply._session.call import Call
from paraply.client._failure import exception_of
from paraply.client._metadata import Metadata
from paraply.client._output import TaskOutput
from paraply.client._reply import ExecuteReply
from paraply.client._timeline import TaskTimes
from paraply.client._wait import Latch, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paraply._link import Link
    from paraply._proto.scheduler.v1 import session_pb2
    from paraply._results import Kept
    from paraply._serialize import Function
    from paraply._session.call import Blob
    from paraply._traces.calls import CallSpan

_UNREAD: Any = object()


class SubmittedCall(Call["Task"]):
    """What the tasks of one call share.

    Args:
        link: The session it is submitted in.
        name: What errors and `repr` call the work.
        label: The user's own.
        method: "apply" or "execute".
        body: The encoded call.
        places: The engine of each task, or None where that is not decided.
        argument_bytes: Inline bytes of its arguments.
        function: What it calls.
        blobs: What of its arguments is too large for a message.
        keeps_blobs: They stay here until an engine reads them.
        span: Of the call that this is all or a part of, where it is traced.
        portable: Its results are to be what every language reads.
    """

    __slots__ = ("_settled", "_unsettled", "label", "link", "method", "name", "portable", "span", "submitted")

    def __init__(
        self,
        link: Link,
        *,
        name: str,
        label: str,
        method: str,
        body: bytes,
        places: Sequence[int | None],
        argument_bytes: int = 0,
        function: Function | None = None,
        blobs: list[Blob] | None = None,
        keeps_blobs: bool = False,
        span: CallSpan | None = None,
        portable: bool = False,
    ) -> None:
        slots: list[Task | None] = [Task(self, offset, place) for offset, place in enumerate(places)]
        super().__init__(body, slots, argument_bytes, function, blobs, keeps_blobs=keeps_blobs)
        self.link = link
        self.name = name
        self.label = label
        self.method = method
        self.span = span
        self.portable = portable
        #: Seconds since the epoch.
        self.submitted = time.time()
        #: Set when no blob has to be read from the user's buffers any more; None where there are none.
        self._settled = threading.Event() if blobs else None
        self._unsettled = len(self.blobs)

    def tasks(self) -> list[Task]:
        """Its tasks that are not finished, in order."""
        return [task for task in self.slots if task is not None]

    def wait_sent(self, timeout: float | None) -> bool:
        """Waits until this process does not need the user's buffers any more, at most `timeout` seconds. Returns whether
        that is so."""
        if self._settled is None:
            return True
        if not self._settled.wait(timeout):
            return False
        # What a restarted scheduler would have to be sent again is kept apart from now on.
        for blob in self.blobs:
            blob.detach()
        return True

    def blob_settled(self, blob: Blob) -> None:
        """See `Call.blob_settled`."""
        del blob
        self._unsettled -= 1
        if self._settled is not None and self._unsettled <= 0:
            self._settled.set()

    def completed(self) -> None:
        """See `Call.completed`."""
        super().completed()
        if self._settled is not None:
            self._settled.set()


class Task:
    """One task. Safe to use from any thread. Its result stays as bytes until somebody asks for it."""

    __slots__ = (
        "__weakref__",
        "_accepted",
        "_claimed",
        "_completed",
        "_done",
        "_exception",
        "_kept",
        "_latches",
        "_offset",
        "_output",
        "_received",
        "_started",
        "_value",
        "attempt",
        "call",
        "engine_id",
        "on_output",
    )

    def __init__(self, call: SubmittedCall, offset: int, engine_id: int | None = None) -> None:
        #: What it shares with the other tasks of its call.
        self.call = call
        self._offset = offset
        #: The engine it runs or ran on, or that it is addressed to, as far as is known.
        self.engine_id = engine_id
        #: Which run of it: 0 while none is known.
        self.attempt = 0
        self._done = False
        self._value: Any = _UNREAD
        #: The bytes of its result, until they are read.
        self._kept: Kept | None = None
        self._exception: Exception | None = None
        self._output: TaskOutput | None = None
        #: Called, on the thread that reads the session's stream, when there is more output. It must not block.
        self.on_output: Callable[[], None] | None = None
        self._latches: list[Latch] | None = None
        # Nanoseconds and seconds since the epoch; 0 while unknown.
        self._accepted = self._claimed = self._started = self._completed = 0
        self._received = 0.0

    def __repr__(self) -> str:
        state = "pending" if not self._done else "failed" if self._exception else "finished"
        return f"<Task {self.msg_id}: {state}>"

    @property
    def index(self) -> int:
        """Its index in the session."""
        return self.call.first_index + self._offset

    @property
    def msg_id(self) -> str:
        """Its name: the session and its index."""
        return f"{self.call.link.session_hex}_{self.index}"

    @property
    def engine_uuid(self) -> str | None:
        """Which process of `engine_id`."""
        return None if self.engine_id is None else self.call.link.engines.uuid(self.engine_id)

    @property
    def metadata(self) -> Metadata:
        """What is known about it now."""
        output = self._output or TaskOutput()
        return Metadata(
            msg_id=self.msg_id,
            label=self.call.label or None,
            submitted=_time(self.call.submitted),
            started=_time(self._started / 1e9),
            completed=_time(self._completed / 1e9),
            received=_time(self._received),
            engine_id=self.engine_id,
            engine_uuid=self.engine_uuid,
            status=None if not self._done else "error" if self._exception else "ok",
            error=self._exception,
            stdout=output.stdout,
            stderr=output.stderr,
            outputs=output.outputs,
            execute_input=output.execute_input,
            execute_result=output.execute_result,
            data=output.published,
        )

    @property
    def times(self) -> TaskTimes:
        """When it came to what, as far as is known."""
        return TaskTimes(
            msg_id=self.msg_id,
            engine_id=self.engine_id,
            submitted=self.call.submitted,
            accepted=_seconds(self._accepted),
            claimed=_seconds(self._claimed),
            started=_seconds(self._started),
            finished=_seconds(self._completed),
            delivered=self._received or None,
        )

    @property
    def received(self) -> float:
        """When its result came, in seconds since the epoch; 0 before."""
        return self._received

    @property
    def run_time(self) -> float:
        """Seconds that it ran; 0 while that is not known."""
        return max(self._completed - self._started, 0) / 1e9

    def output_since(self, stream: str, start: int, *, whole_lines: bool) -> tuple[str, int]:
        """What it wrote to a stream from a byte on, and up to which byte that is."""
        return ("", start) if self._output is None else self._output.since(stream, start, whole_lines=whole_lines)

    def done(self) -> bool:
        """Whether it has a result or has failed."""
        return self._done

    def failed(self) -> bool:
        """Whether it has failed."""
        return self._exception is not None and self._done

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is done, at most `timeout` seconds. Returns whether it is."""
        return self._done or wait_for((self,), timeout)

    def exception(self, timeout: float | None = None) -> Exception | None:
        """Why it failed, or None. Raises TimeoutError."""
        if not self.wait(timeout):
            self._not_ready()
        return self._exception

    def result(self, timeout: float | None = None) -> Any:
        """Its result, read from its bytes at the first call. Raises what it failed with, or TimeoutError."""
        if not self._done and not self.wait(timeout):
            self._not_ready()
        if self._exception is not None:
            # With no traceback but that of this call: it would grow with each, and keep what they had.
            raise self._exception.with_traceback(None)
        if self._value is _UNREAD:
            self._read()
        return self._value

    def _read(self) -> None:
        kept = self._kept
        if self.call.method == "execute":
            self._value = ExecuteReply(self.metadata)
        elif kept is not None:
            if self.call.portable and is_pickled(kept):
                raise error.NotPortableError(
                    f"the result of {self.call.name!r} came pickled: what it returned has no portable form. Have it return "
                    f"numbers, text, bytes, lists, dictionaries, arrays or tables, or call it with portable=False"
                )
            self._value = self.call.link.load(kept)
        self._kept = None

    @staticmethod
    def _not_ready() -> NoReturn:
        raise TimeoutError("Result not ready.")

    # For the thread that reads the session's stream.

    def claimed(self, event: session_pb2.TaskClaimed) -> None:
        """An engine said that it would start it."""
        self.engine_id = event.engine_id
        self.attempt = event.attempt

    def wrote(self, event: session_pb2.TaskOutput) -> Callable[[], None] | None:
        """It wrote something. Returns who wants to know."""
        if self._output is None:
            self._output = TaskOutput()
        self._output.add(event)
        self.engine_id = event.engine_id
        return self.on_output

    def finish(self, event: session_pb2.TaskFinished, received: float) -> None:
        """It is done. `completion` is held."""
        if event.HasField("engine_id"):
            self.engine_id = event.engine_id
        self.attempt = event.attempt
        self._received = received
        self._accepted = event.accepted_unix_nanos
        outcome = event.outcome
        self._claimed = outcome.claimed_unix_nanos
        self._started = outcome.started_unix_nanos
        self._completed = outcome.finished_unix_nanos
        if outcome.HasField("failure"):
            self._exception = self._exception or exception_of(outcome.failure, self)
        else:
            # What was wrong with it has not kept it from its result.
            self._exception = None
            self._kept = keep(outcome.result, self.call.link.blobs)
        self._done = True

    def fail(self, exception: Exception, received: float) -> None:
        """It is done, for a reason found at this end. `completion` is held."""
        self._exception = exception
        self._received = received
        self._done = True

    def doom(self, exception: Exception) -> None:
        """It will be cancelled, and this is the reason to give when it is. `completion` is held."""
        if not self._done:
            self._exception = exception

    def watch(self, latch: Latch) -> None:
        """Counts down `latch` when it is done. `completion` is held and it is not done."""
        if self._latches is None:
            self._latches = [latch]
        else:
            self._latches.append(latch)

    def unwatch(self, latch: Latch) -> None:
        """Takes back `watch`. `completion` is held."""
        if self._latches is not None and latch in self._latches:
            self._latches.remove(latch)

    def is_small(self) -> bool:
        """Whether what is kept of it, now that it is done, is little."""
        return not isinstance(self._kept, KeptParts) and (self._output is None or self._output.is_small())

    def take_latches(self) -> list[Latch]:
        """What to count down now that it is done. `completion` is held."""
        latches, self._latches = self._latches, None
        return latches or []


def fetch_together(tasks: Sequence[Task], *, joined: bool) -> None:
    """Fetches large results that are not here yet side by side. What fails says so when its task is read."""
    elsewhere = [task for task in tasks if isinstance(task._kept, KeptParts) and task._kept.is_elsewhere()]
    links = {task.call.link for task in elsewhere}
    if len(elsewhere) > 1 and len(links) == 1:
        results = [task._kept for task in elsewhere if isinstance(task._kept, KeptParts)]
        with suppress(ConnectionError):
            fetch(results, links.pop().blobs, joined=joined)


def _seconds(nanos: int) -> float | None:
    return nanos / 1e9 if nanos else None


def _time(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
