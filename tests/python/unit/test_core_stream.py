"""The session's stream on grpcio's core: when messages go out, and how it ends."""

from __future__ import annotations

import threading
import types
from collections import deque
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from fake_client import eventually

from paraply._line import Line
from paraply._proto.scheduler.v1 import session_pb2
from paraply._transport import library
from paraply._transport.base import TransportError
from paraply._transport.core import Core, CoreSessionStream, core_of

UPDATE = session_pb2.OpenSessionResponse(update=session_pb2.SessionUpdate(accepted_up_to=1)).SerializeToString()
CANCELLED, UNAVAILABLE = 1, 14


class Operation:
    """What the stream has the core do, and what came of it."""

    def __init__(self, kind: str, *arguments: Any) -> None:
        self.kind = kind
        self.arguments = arguments
        self.came: Any = None

    def message(self) -> Any:
        return self.came

    def code(self) -> int:
        code: int = self.came
        return code

    def details(self) -> str:
        return "the reason"


class Call:
    """A call of the core's, whose events the test makes."""

    def __init__(self, begun: Any) -> None:
        self.open: deque[tuple[str, tuple[Operation, ...]]] = deque((tag, operations) for operations, tag in begun)
        self.events: SimpleQueue[Any] = SimpleQueue()
        self.sent: list[bytes] = []
        self.cancelled = 0
        self.ended = False

    def operate(self, operations: tuple[Operation, ...], tag: str) -> bool:
        self.open.append((tag, operations))
        if self.ended:
            self.happens(tag)
            return True
        if tag == "sent":
            self.sent.append(operations[0].arguments[0])
        return True

    def cancel(self, code: int, details: str) -> None:
        self.cancelled += 1
        if self.cancelled == 1:
            self.end(code)

    def next_event(self) -> Any:
        return self.events.get(timeout=10)

    def happens(self, tag: str, came: Any = None) -> None:
        """The oldest operation of this tag is done."""
        found = next(each for each in self.open if each[0] == tag)
        self.open.remove(found)
        found[1][-1].came = came
        self.events.put(types.SimpleNamespace(tag=found[0], batch_operations=found[1]))

    def end(self, code: int) -> None:
        self.ended = True
        for tag, _ in list(self.open):
            self.happens(tag, code if tag == "status" else None)


class Rig:
    """A stream on such a call, whose threads have looked for messages and found none."""

    def __init__(self) -> None:
        self.due: deque[bytes | BaseException] = deque()
        self.received: list[Any] = []
        self.answer: bool | Exception = True
        self.looks = 0
        self.line = Line(self.next_message)
        kinds = (
            "ReceiveInitialMetadataOperation",
            "ReceiveMessageOperation",
            "ReceiveStatusOnClientOperation",
            "SendCloseFromClientOperation",
            "SendInitialMetadataOperation",
            "SendMessageOperation",
        )
        cygrpc: Any = types.ModuleType("cygrpc")
        for kind in kinds:
            setattr(cygrpc, kind, lambda *arguments, kind=kind: Operation(kind, *arguments))
        cygrpc.StatusCode = types.SimpleNamespace(cancelled=CANCELLED)

        def segregated_call(*arguments: Any) -> Call:
            self.call = Call(arguments[6])
            return self.call

        channel = types.SimpleNamespace(segregated_call=segregated_call)
        self.stream = CoreSessionStream(Core(cygrpc, channel), (), self.line, self.take)
        self.failure: list[Exception] = []
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        eventually(lambda: self.looks and not self.stream._line.locked())

    def next_message(self, line: Line, now: float) -> bytes | None:
        self.looks += 1
        message = self.due.popleft() if self.due else None
        if isinstance(message, BaseException):
            raise message
        return message

    def take(self, response: Any) -> bool:
        self.received.append(response)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def run(self) -> None:
        try:
            self.stream.run()
        except Exception as failure:  # noqa: BLE001  # told below
            self.failure.append(failure)

    def over(self) -> list[Exception]:
        self.line.end()
        self.thread.join(10)
        assert not self.thread.is_alive()
        return self.failure


@pytest.fixture
def rig() -> Any:
    rig = Rig()
    yield rig
    if rig.thread.is_alive():
        rig.stream.cancel()
    rig.over()


def test_a_message_goes_out_on_the_thread_that_has_it_and_the_next_when_it_is_out(rig: Rig) -> None:
    rig.due += [b"1", b"2"]
    rig.stream.flush()
    assert rig.call.sent == [b"1"]
    rig.stream.flush()
    assert rig.call.sent == [b"1"], "one at a time"
    rig.call.happens("sent")
    eventually(lambda: rig.call.sent == [b"1", b"2"])
    rig.call.happens("sent")
    rig.due.append(b"3")
    rig.stream.flush()
    eventually(lambda: rig.call.sent == [b"1", b"2", b"3"])


def test_what_is_due_at_a_time_goes_out_though_nobody_flushes(rig: Rig) -> None:
    rig.due.append(b"ack")
    rig.line.due = 1e-9
    rig.line.wake()
    eventually(lambda: rig.call.sent == [b"ack"])


def test_an_interrupt_between_taking_a_message_and_sending_it_ends_the_stream(rig: Rig) -> None:
    rig.due.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        rig.stream.flush()
    assert rig.call.cancelled == 1
    (failure,) = rig.over()
    assert isinstance(failure, TransportError) and failure.code == "CANCELLED"


def test_messages_are_taken_until_nobody_wants_more(rig: Rig) -> None:
    rig.call.happens("message", UPDATE)
    eventually(lambda: len(rig.received) == 1 and any(tag == "message" for tag, _ in rig.call.open))
    rig.answer = False
    rig.call.happens("message", UPDATE)
    assert rig.over() == []
    assert (len(rig.received), rig.call.cancelled) == (2, 1)


def test_a_mistake_of_who_takes_messages_comes_out_after_the_last_event(rig: Rig) -> None:
    rig.answer = LookupError("no such thing")
    rig.call.happens("message", UPDATE)
    assert rig.over() == [rig.answer]
    assert not rig.call.open, "every event was taken"


def test_a_call_that_ends_says_why(rig: Rig) -> None:
    rig.call.end(UNAVAILABLE)
    (failure,) = rig.over()
    assert isinstance(failure, TransportError)
    assert (failure.code, failure.message) == ("UNAVAILABLE", "the reason")
    rig.due.append(b"late")
    rig.stream.flush()
    rig.stream.cancel()
    assert (rig.call.sent, rig.call.cancelled) == ([], 0), "nothing is begun on it any more"


def test_the_core_is_used_where_it_is_as_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRPC_ENABLE_FORK_SUPPORT", raising=False)
    with grpc.insecure_channel("localhost:1") as channel:
        assert core_of(channel) is not None

        class Interceptor(grpc.UnaryUnaryClientInterceptor):
            def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
                return continuation(client_call_details, request)

        assert core_of(grpc.intercept_channel(channel, Interceptor())) is None
        monkeypatch.setenv("GRPC_ENABLE_FORK_SUPPORT", "1")
        assert core_of(channel) is None
        monkeypatch.delenv("GRPC_ENABLE_FORK_SUPPORT")
        monkeypatch.delattr("grpc._cython.cygrpc.SegregatedCall")
        assert core_of(channel) is None


@pytest.mark.parametrize(("version", "set_up"), [((1, 74), True), ((1, 85), True), ((1, 86), False), ((2, 0), False)])
def test_only_releases_that_are_known_are_set_up(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, int], set_up: bool
) -> None:
    monkeypatch.delenv("GRPC_ENABLE_FORK_SUPPORT", raising=False)
    monkeypatch.setattr(library, "_version", lambda: version)
    assert ("GRPC_EXPERIMENTS" in library._defaults()) == set_up
