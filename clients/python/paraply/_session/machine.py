"""The client's end of a session as a state machine: what happened goes in, what to send comes out, time is passed in.

The shell asks `next_message` whenever the line is free, so whatever was queued while the last message was being written
goes into the next one. Nothing is lost when a stream breaks, or when the scheduler is restarted and knows nothing: calls
stay here until all their results have arrived.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from paraply._enums import name_of
from paraply._proto.scheduler.v1 import session_pb2
from paraply._session import wire
from paraply._session.call import Blob, Call
from paraply._session.functions import SentFunctions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paraply._proto.common.v1 import payload_pb2, peer_pb2

T = TypeVar("T")

#: Messages end here, unless a single call or function is larger.
MESSAGE_BYTES = 1 << 20
#: Indexes of cancelled tasks in one message: at most ten bytes each.
CANCEL_INDEXES = 100_000
#: What the index of a finished task and what is known of a claim take of a replay at the most.
INDEX_BYTES, CLAIM_BYTES = 10, 48
#: Blobs released in one message.
RELEASES = 1000
#: An acknowledgement rides on the next submit. It goes alone once this many events or bytes wait for it, or they have
#: waited this long (seconds): the scheduler keeps them until then.
ACK_EVENTS = 256
ACK_BYTES = 1 << 18
ACK_DELAY = 0.05


_Cancel = tuple[session_pb2.CancelMode, float | None]


def _is_weaker(cancel: _Cancel, before: _Cancel | None) -> bool:
    """Whether it does less to a task than one that was asked for before, or does it later."""

    def force(mode: session_pb2.CancelMode, kill_after: float | None) -> tuple[bool, bool, float]:
        return mode == session_pb2.CANCEL_MODE_INTERRUPT, kill_after is not None, -(kill_after or 0.0)

    return before is not None and force(*cancel) < force(*before)


@dataclass(slots=True)
class Delivery(Generic[T]):
    """What one message of the scheduler came to. To be taken in the order of these fields."""

    #: All engines there are now, in place of what was known.
    engines: list[peer_pb2.Engine] | None = None
    #: Engines that joined or left, in order.
    membership: list[session_pb2.Event] = field(default_factory=list)
    claimed: list[tuple[T, session_pb2.TaskClaimed]] = field(default_factory=list)
    output: list[tuple[T, session_pb2.TaskOutput]] = field(default_factory=list)
    finished: list[tuple[T, session_pb2.TaskFinished]] = field(default_factory=list)
    #: The scheduler knows nothing of earlier blobs: upload those of these calls again.
    replayed: list[Call[T]] = field(default_factory=list)
    #: Blobs kept here that somebody reads now.
    wanted: list[tuple[Blob, payload_pb2.BlobWant]] = field(default_factory=list)
    #: The same, and they are not here any more: to be released.
    lacking: list[bytes] = field(default_factory=list)
    #: There is something to say now.
    reply: bool = False
    #: The stream is to be ended: why.
    hang_up: str | None = None
    #: The session is over for good: why.
    ended: str | None = None


class Session(Generic[T]):
    """One session.

    Args:
        session_id: 16 random bytes.
        peer: Who this client is.
        label: For people: shown by `paraply status`.
        cancel_on_disconnect: Queued tasks are aborted when the client vanishes.
    """

    def __init__(
        self,
        session_id: bytes,
        peer: peer_pb2.PeerInfo | None = None,
        label: str = "",
        cancel_on_disconnect: bool = False,
    ) -> None:
        self.id = session_id
        self._hello = session_pb2.SessionHello(
            session_id=session_id,
            peer=peer,
            label=label,
            on_disconnect=session_pb2.DISCONNECT_POLICY_CANCEL
            if cancel_on_disconnect
            else session_pb2.DISCONNECT_POLICY_KEEP,
        )
        self.next_index = 0
        #: The call of each task that is not finished, by index.
        self._calls: dict[int, Call[T]] = {}
        self._unsent: deque[Call[T]] = deque()
        #: Sent, and not known to be accepted.
        self._sent: deque[Call[T]] = deque()
        self._functions = SentFunctions()
        self._claims: dict[int, session_pb2.KnownClaim] = {}
        self._cancels: dict[int, _Cancel] = {}
        self._cancels_due: set[int] = set()
        #: Parts of arguments that stay here until an engine has them.
        self._kept: dict[bytes, tuple[Call[T], Blob]] = {}
        #: Result blobs that are not needed any more. Appended to from anywhere, finalizers included.
        self.released: deque[bytes] = deque()
        # The scheduler's epoch; None before the first welcome.
        self._epoch: int | None = None
        self._sequence = 0
        self._acknowledged = 0
        self._unacknowledged_bytes = 0
        self._ack_at: float | None = None
        #: Calls below were sent at some time: what a resume point names, and what is replayed.
        self._sent_up_to = 0
        #: Bytes of calls submitted in this epoch, each counted once. Replays do not count.
        self._sent_bytes = 0
        self._counted_up_to = 0
        self._credit_tasks = 0
        self._credit_bytes = 0
        # The stream.
        self._hello_due = False
        self._open = False
        #: The scheduler has welcomed this stream.
        self._welcome_heard = False
        #: Calls that are still to be replayed; None where nothing is replayed.
        self._replay: deque[Call[T]] | None = None
        self._closing = False

    # What happens.

    def submit(self, call: Call[T]) -> None:
        """Takes a new call and gives it its indexes."""
        call.first_index = first = self.next_index
        end = first + call.count
        try:
            if call.count == 1:
                self._calls[first] = call
            else:
                self._calls.update(dict.fromkeys(range(first, end), call))
            if call.function is not None:
                self._functions.hold(call.function)
            if call.keeps_blobs:
                self._kept.update((blob.blob_id, (call, blob)) for blob in call.blobs)
            self._unsent.append(call)
            self.next_index = end
        except BaseException:
            # Ctrl-C: the next call has these indexes, and nothing is left of this one but its function.
            self.next_index = first
            if self._unsent and self._unsent[-1] is call:
                self._unsent.pop()
            for index in range(first, end):
                self._calls.pop(index, None)
            for blob in call.blobs:
                self._kept.pop(blob.blob_id, None)
            raise

    def cancel(self, indexes: Iterable[int], mode: session_pb2.CancelMode, kill_after: float | None = None) -> None:
        """Cancels those of the tasks that are not finished.

        Args:
            indexes: Which.
            mode: Whether one that runs is interrupted.
            kill_after: Seconds after which the engine process of one that still runs is ended.
        """
        for index in indexes:
            if index in self._calls and not _is_weaker((mode, kill_after), self._cancels.get(index)):
                self._cancels[index] = (mode, kill_after)
                self._cancels_due.add(index)

    def close(self) -> None:
        """Ends the session at once, on its next message."""
        self._closing = True

    @property
    def all_accepted(self) -> bool:
        """Whether the scheduler has all calls: a client that hangs up then leaves nothing undone."""
        return not self._unsent and not self._sent and self._replay is None

    def connected(self) -> None:
        """A stream was opened: hello is the first message on it."""
        self._hello.stream += 1
        self._hello_due = True
        self._open = self._welcome_heard = False

    def broken(self) -> None:
        """The stream is gone."""
        self._hello_due = self._open = self._welcome_heard = False
        self._replay = None

    def outstanding(self) -> list[int]:
        """Indexes of the tasks that are not finished."""
        return list(self._calls)

    def slot(self, index: int) -> T | None:
        """What stands for a task, or None if it is finished or does not exist."""
        call = self._calls.get(index)
        return None if call is None else call.slots[index - call.first_index]

    def kept(self) -> list[tuple[Call[T], Blob]]:
        """Parts of arguments that no engine has yet, and that are nowhere but here."""
        return list(self._kept.values())

    def let_go(self, blob_id: bytes) -> None:
        """A part of an argument is kept elsewhere from now on."""
        call, blob = self._kept.pop(blob_id, (None, None))
        if call is not None and blob is not None:
            blob.data = None
            call.blob_settled(blob)

    def abandon(self) -> list[T]:
        """Gives up every task. Returns what stands for them."""
        slots = [self._finish(index) for index in list(self._calls)]
        return [slot for slot in slots if slot is not None]

    def received(self, response: session_pb2.OpenSessionResponse, now: float) -> Delivery[T]:
        """Takes one message of the scheduler."""
        delivery: Delivery[T] = Delivery()
        kind = response.WhichOneof("message")
        if kind == "update" and self._welcome_heard:
            self._updated(response.update, now, delivery)
        elif kind == "welcome" and not self._welcome_heard:
            self._welcomed(response.welcome, delivery)
        elif kind == "closed":
            self._closed(response.closed, delivery)
        elif kind is not None:
            delivery.hang_up = f"the scheduler sent its {kind} out of turn"
        else:
            delivery.hang_up = "the scheduler sent a message that this client does not know"
        return delivery

    # What to say.

    def next_message(self, now: float) -> bytes | None:
        """The next message for the scheduler, or None while there is nothing to say."""
        if self._hello_due:
            self._hello_due = False
            return self._say_hello()
        if not self._open:
            return None
        if self._closing:
            self._open = False
            return session_pb2.OpenSessionRequest(close=session_pb2.CloseSession()).SerializeToString()
        cancel = self._next_cancel()
        if cancel is not None:
            return cancel
        if self._replay is not None:
            return self._next_replay(self._replay)
        # Before submits, of which there may be no end.
        return self._next_release() or self._next_submit() or self._next_ack(now)

    def next_timeout(self) -> float | None:
        """When to ask `next_message` again though nothing happened."""
        return self._ack_at if self._open else None

    # The rest is how.

    def _say_hello(self) -> bytes:
        if self._epoch is not None:
            self._hello.resume.CopyFrom(
                session_pb2.ResumePoint(epoch=self._epoch, sequence=self._sequence, next_index=self._sent_up_to)
            )
        return session_pb2.OpenSessionRequest(hello=self._hello).SerializeToString()

    def _welcomed(self, welcome: session_pb2.SessionWelcome, delivery: Delivery[T]) -> None:
        if not welcome.replay and welcome.accepted_up_to > self._sent_up_to:
            delivery.ended = "the scheduler has accepted tasks that this client never submitted"
            return
        self._take_ack()  # The hello said what was received.
        same_epoch = welcome.epoch == self._epoch
        if not same_epoch:
            self._epoch = welcome.epoch
            self._sequence = self._acknowledged = 0
            self._sent_bytes = self._counted_up_to = 0
        if not same_epoch or welcome.replay:
            self._functions.forget_sent()
        self._open = self._welcome_heard = True
        self._credit_tasks = welcome.credit.total_tasks
        self._credit_bytes = welcome.credit.total_bytes
        delivery.engines = list(welcome.engines)
        delivery.reply = True
        self._cancels_due = set(self._cancels)
        known = self._sent_up_to if welcome.replay else welcome.accepted_up_to
        self._counted_up_to = max(self._counted_up_to, known)
        if welcome.replay:
            delivery.replayed = list(dict.fromkeys(self._calls.values()))
            self._sent.clear()
            self._unsent = deque(call for call in delivery.replayed if call.first_index >= self._sent_up_to)
            self._replay = deque(call for call in delivery.replayed if call.first_index < self._sent_up_to)
        else:
            self._accept(welcome.accepted_up_to)
            while self._sent:
                call = self._sent.pop()
                # It is in both where the message that it was to be in was interrupted.
                if not self._unsent or self._unsent[0] is not call:
                    self._unsent.appendleft(call)

    def _updated(self, update: session_pb2.SessionUpdate, now: float, delivery: Delivery[T]) -> None:
        if update.HasField("credit"):
            self._credit_tasks = update.credit.total_tasks
            self._credit_bytes = update.credit.total_bytes
            delivery.reply = bool(self._unsent)
        for digest in update.need_functions:
            self._functions.ask(digest)
            delivery.reply = True
        for want in update.wanted_blobs:
            if (kept := self._kept.get(want.blob_id)) is not None:
                delivery.wanted.append((kept[1], want))
            else:
                delivery.lacking.append(want.blob_id)
        for blob_id in update.taken_blobs:
            self.let_go(blob_id)
        before = self._sequence
        for event in update.events:
            sequence = event.sequence
            if sequence:
                if sequence <= self._sequence:
                    continue
                if sequence != self._sequence + 1:
                    delivery.hang_up = f"event {self._sequence + 1} is missing: the next one was {sequence}"
                    break
                self._sequence = sequence
            self._happened(event, delivery)
        if update.HasField("accepted_up_to"):
            self._accept(update.accepted_up_to)
        if self._sequence != before:
            self._unacknowledged_bytes += update.ByteSize()
            waiting = self._sequence - self._acknowledged
            if waiting >= ACK_EVENTS or self._unacknowledged_bytes >= ACK_BYTES:
                self._ack_at = now
                delivery.reply = True
            elif self._ack_at is None:
                self._ack_at = now + ACK_DELAY

    def _happened(self, event: session_pb2.Event, delivery: Delivery[T]) -> None:
        kind = event.WhichOneof("event")
        if kind == "finished":
            finished = event.finished
            # A call that was never sent cannot have run: it is still to be sent.
            slot = self._finish(finished.index) if finished.index < self._sent_up_to else None
            if slot is not None:
                delivery.finished.append((slot, finished))
            elif finished.index < self._sent_up_to:
                # It came before, and nobody will read this one.
                self.released.extend(wire.blobs(finished.outcome))
                delivery.reply = delivery.reply or bool(self.released)
        elif kind == "output":
            slot = self._sent_slot(event.output.index)
            if slot is not None:
                delivery.output.append((slot, event.output))
        elif kind == "claimed":
            claimed = event.claimed
            slot = self._sent_slot(claimed.index)
            if slot is not None:
                self._claims[claimed.index] = session_pb2.KnownClaim(
                    index=claimed.index,
                    attempt=claimed.attempt,
                    engine_id=claimed.engine_id,
                    incarnation=claimed.incarnation,
                )
                delivery.claimed.append((slot, claimed))
                self._let_go_of(self._calls[claimed.index])
        elif kind is not None:
            delivery.membership.append(event)

    def _sent_slot(self, index: int) -> T | None:
        return self.slot(index) if index < self._sent_up_to else None

    def _finish(self, index: int) -> T | None:
        call = self._calls.pop(index, None)
        if call is None:
            return None
        offset = index - call.first_index
        slot = call.slots[offset]
        call.slots[offset] = None
        call.remaining -= 1
        if not call.remaining:
            self._complete(call)
        if self._claims:
            self._claims.pop(index, None)
        if self._cancels:
            self._cancels.pop(index, None)
            self._cancels_due.discard(index)
        return slot

    def _complete(self, call: Call[T]) -> None:
        """All tasks of a call are finished: its bytes are not needed again."""
        self._let_go_of(call)
        call.completed()
        if call.function is not None:
            self._functions.drop(call.function)
            call.function = None

    def _let_go_of(self, call: Call[T]) -> None:
        """An engine has what the one task of this call needs."""
        if call.keeps_blobs:
            for blob in call.blobs:
                self.let_go(blob.blob_id)

    def _accept(self, up_to: int) -> None:
        while self._sent and self._sent[0].first_index < up_to:
            self._sent.popleft()

    def _closed(self, closed: session_pb2.SessionClosed, delivery: Delivery[T]) -> None:
        self._open = False
        reason = (
            name_of(session_pb2.SessionClosed.Reason, closed.reason).removeprefix("REASON_").lower().replace("_", " ")
        )
        text = f"{closed.message} ({reason})" if closed.message else f"the scheduler closed this session ({reason})"
        if closed.reason in (session_pb2.SessionClosed.REASON_SHUTDOWN, session_pb2.SessionClosed.REASON_OUT_OF_ORDER):
            delivery.hang_up = text
        else:
            delivery.ended = text

    def _next_cancel(self) -> bytes | None:
        """Cancels of tasks that the scheduler has been told of: a cancel must not overtake its submit."""
        if not self._cancels_due:
            return None
        later = self._replay or self._unsent
        known = later[0].first_index if later else self.next_index
        due = sorted(index for index in self._cancels_due if index < known)
        if not due:
            return None
        how = self._cancels[due[0]]
        same = [index for index in due if self._cancels[index] == how][:CANCEL_INDEXES]
        self._cancels_due.difference_update(same)
        mode, kill_after = how
        cancel = session_pb2.CancelIndexes(
            indexes=same,
            mode=mode,
            kill_after_millis=None if kill_after is None else max(0, round(kill_after * 1000)),
        )
        return session_pb2.OpenSessionRequest(cancel=cancel).SerializeToString()

    def _next_submit(self) -> bytes | None:
        fields = self._functions.asked(MESSAGE_BYTES)
        size = sum(map(len, fields))
        while self._unsent and size < MESSAGE_BYTES:
            call = self._unsent[0]
            if not call.remaining:
                # Sent before a break, and finished since: results may come before it is told that a call is accepted.
                self._unsent.popleft()
                continue
            end = call.first_index + call.count
            again = call.first_index < self._counted_up_to
            sent_bytes = self._sent_bytes + (0 if again else call.argument_bytes)
            if end > self._credit_tasks or sent_bytes > self._credit_bytes:
                break
            function = self._functions.unsent(call.function)
            encoded = wire.call(call.first_index, call.body)
            size += len(encoded) + len(function)
            if size > MESSAGE_BYTES and fields:
                break
            # In one of them at any time, for Ctrl-C.
            self._sent.append(call)
            self._unsent.popleft()
            self._sent_bytes = sent_bytes
            self._counted_up_to = max(self._counted_up_to, end)
            self._sent_up_to = max(self._sent_up_to, end)
            if function:
                self._functions.mark(call.function)
                fields.append(function)
            fields.append(encoded)
        return wire.submit(fields, self._take_ack()) if fields else None

    def _next_replay(self, calls: deque[Call[T]]) -> bytes:
        """A stretch of the replay: calls in order, with what is known of their tasks.

        It is complete once the scheduler has also heard of cancels, so that nothing starts that nobody wants any more.
        """
        fields: list[bytes] = []
        rest = session_pb2.Replay()
        size = 0
        while calls:
            call = calls[0]
            function = self._functions.unsent(call.function)
            encoded = wire.call(call.first_index, call.body)
            indexes = range(call.first_index, call.first_index + call.count)
            finished = [index for index in indexes if index not in self._calls]
            claims = [self._claims[index] for index in indexes if index in self._claims]
            size += len(encoded) + len(function) + INDEX_BYTES * len(finished) + CLAIM_BYTES * len(claims)
            if size > MESSAGE_BYTES and fields:
                break
            calls.popleft()
            if function:
                self._functions.mark(call.function)
                fields.append(function)
            fields.append(encoded)
            rest.finished_indexes.extend(finished)
            rest.claims.extend(claims)
        rest.complete = not calls and not any(index < self._sent_up_to for index in self._cancels_due)
        if rest.complete:
            self._replay = None
        return wire.replay(fields, rest)

    def _next_release(self) -> bytes | None:
        if not self.released:
            return None
        blobs = [self.released.popleft() for _ in range(min(len(self.released), RELEASES))]
        return session_pb2.OpenSessionRequest(release=session_pb2.ReleaseBlobs(blob_ids=blobs)).SerializeToString()

    def _next_ack(self, now: float) -> bytes | None:
        if self._ack_at is None or now < self._ack_at:
            return None
        return session_pb2.OpenSessionRequest(ack=session_pb2.EventAck(sequence=self._take_ack())).SerializeToString()

    def _take_ack(self) -> int | None:
        if self._ack_at is None:
            return None
        self._acknowledged = self._sequence
        self._unacknowledged_bytes = 0
        self._ack_at = None
        return self._sequence
