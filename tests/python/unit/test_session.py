"""The session machine, driven by hand: what it is told, and what it then says."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from fake_scheduler import engine, finished, update, welcome

from paraply._proto.common.v1 import task_pb2
from paraply._proto.scheduler.v1 import session_pb2
from paraply._serialize import Encoding, Function, Payload
from paraply._session import machine, wire
from paraply._session.call import Blob, Call
from paraply._session.machine import Session
from paraply.client._output import TaskOutput

FUNCTION = Function(b"d" * 32, Payload(Encoding.PICKLE5, b"code"), "f")


def make_call(*slots: str, argument: bytes = b"x", function: Function | None = None) -> Call[str]:
    """A balanced call with a task for each of `slots`."""
    options = ("f", "", 0, 0, None, None, False)
    head = wire.call_head(function.digest if function else b"n" * 32, None, False, (), options)
    fields = [wire.argument(Payload(Encoding.PICKLE5, argument), 1 << 16, [])[0] for _ in slots]
    return Call(head + b"".join(fields), list(slots), len(argument) * len(slots), function)


class Wire:
    """A session with a stream, and what it says."""

    def __init__(self) -> None:
        self.session: Session[str] = Session(b"s" * 16)
        self.now = 0.0

    def connect(self, **fields: Any) -> session_pb2.OpenSessionRequest:
        self.session.connected()
        hello = self.said()
        assert hello is not None
        self.hear(welcome(**fields))
        return hello

    def hear(self, message: session_pb2.OpenSessionResponse) -> machine.Delivery[str]:
        return self.session.received(message, self.now)

    def said(self) -> session_pb2.OpenSessionRequest | None:
        message = self.session.next_message(self.now)
        return None if message is None else session_pb2.OpenSessionRequest.FromString(message)


@pytest.fixture
def line() -> Wire:
    return Wire()


def test_says_hello_first_and_nothing_before_the_welcome(line: Wire) -> None:
    line.session.submit(make_call("a"))
    assert line.said() is None
    line.session.connected()
    hello = line.said()
    assert hello is not None
    assert hello.hello.session_id == b"s" * 16
    assert not hello.hello.HasField("resume")
    assert line.said() is None
    delivery = line.hear(welcome(engines=[engine(3)]))
    assert [each.engine_id for each in delivery.engines or []] == [3]
    assert line.said().submit.calls[0].first_index == 0


def test_indexes_are_dense_over_calls(line: Wire) -> None:
    line.connect()
    for slots in (("a", "b"), ("c",), ("d", "e", "f")):
        line.session.submit(make_call(*slots))
    calls = line.said().submit.calls
    assert [(call.first_index, len(call.arguments)) for call in calls] == [(0, 2), (2, 1), (3, 3)]


def test_whatever_is_queued_goes_in_one_message(line: Wire) -> None:
    line.connect()
    for _ in range(1000):
        line.session.submit(make_call("a"))
    assert len(line.said().submit.calls) == 1000
    assert line.said() is None


def test_messages_are_cut_at_a_mebibyte(line: Wire) -> None:
    line.connect()
    for _ in range(40):
        line.session.submit(make_call("a", argument=bytes(60_000)))
    sizes = []
    while (said := line.said()) is not None:
        sizes.append(said.ByteSize())
    assert len(sizes) == 3
    assert max(sizes) < machine.MESSAGE_BYTES + 1000


def test_messages_of_many_small_calls_are_cut_by_what_they_take(line: Wire) -> None:
    line.connect()
    for _ in range(40_000):
        line.session.submit(make_call("a"))
    sizes = []
    while (said := line.said()) is not None:
        sizes.append(said.ByteSize())
    assert len(sizes) > 1 and max(sizes) <= machine.MESSAGE_BYTES + 64


def test_many_cancels_are_cut(line: Wire) -> None:
    line.connect()
    for _ in range(3):
        line.session.submit(make_call(*["a"] * 50_000))
    while line.said() is not None:
        pass
    line.session.cancel(range(150_000), session_pb2.CANCEL_MODE_INTERRUPT, kill_after=1.5)
    first, second = line.said().cancel, line.said().cancel
    assert [*first.indexes, *second.indexes] == list(range(150_000))
    assert (first.kill_after_millis, second.mode) == (1500, session_pb2.CANCEL_MODE_INTERRUPT)


def test_all_is_accepted_once_the_scheduler_says_so(line: Wire) -> None:
    line.connect()
    assert line.session.all_accepted
    line.session.submit(make_call("a"))
    assert not line.session.all_accepted
    line.said()
    assert not line.session.all_accepted
    line.hear(session_pb2.OpenSessionResponse(update=session_pb2.SessionUpdate(accepted_up_to=1)))
    assert line.session.all_accepted


def test_credit_is_respected_and_more_lets_it_go_on(line: Wire) -> None:
    line.connect()
    line.hear(update(credit=session_pb2.SubmitCredit(total_tasks=3, total_bytes=1 << 30)))
    line.session.submit(make_call("a", "b"))
    line.session.submit(make_call("c", "d"))
    assert [call.first_index for call in line.said().submit.calls] == [0]
    assert line.said() is None
    delivery = line.hear(update(credit=session_pb2.SubmitCredit(total_tasks=4, total_bytes=1 << 30)))
    assert delivery.reply
    assert [call.first_index for call in line.said().submit.calls] == [2]


def test_credit_counts_the_bytes_of_arguments(line: Wire) -> None:
    line.connect()
    line.hear(update(credit=session_pb2.SubmitCredit(total_tasks=100, total_bytes=150)))
    line.session.submit(make_call("a", argument=bytes(100)))
    line.session.submit(make_call("b", argument=bytes(100)))
    assert len(line.said().submit.calls) == 1
    assert line.said() is None


def test_a_function_is_sent_once_an_epoch_and_when_asked_for(line: Wire) -> None:
    line.connect()
    line.session.submit(make_call("a", function=FUNCTION))
    assert [each.digest for each in line.said().submit.functions] == [FUNCTION.digest]
    line.session.submit(make_call("b", function=FUNCTION))
    assert not line.said().submit.functions
    line.hear(update(need_functions=[FUNCTION.digest]))
    asked = line.said().submit
    assert [each.payload.data for each in asked.functions] == [b"code"]
    assert not asked.calls
    line.hear(update(finished(0, 1), finished(1, 2)))
    line.hear(update(need_functions=[FUNCTION.digest]))
    line.now += 1
    assert line.said().HasField("ack"), "no unfinished call names it any more"


def test_results_are_given_once(line: Wire) -> None:
    line.connect()
    line.session.submit(make_call("a", "b"))
    line.said()
    assert [slot for slot, _ in line.hear(update(finished(1, 1))).finished] == ["b"]
    again = line.hear(update(finished(1, 1), finished(0, 2)))
    assert [slot for slot, _ in again.finished] == ["a"]
    assert line.session.outstanding() == []


def test_a_gap_in_the_events_ends_the_stream(line: Wire) -> None:
    line.connect()
    line.session.submit(make_call("a", "b"))
    line.said()
    delivery = line.hear(update(finished(0, 1), finished(1, 3)))
    assert [slot for slot, _ in delivery.finished] == ["a"]
    assert "event 2 is missing" in (delivery.hang_up or "")


def test_an_ack_rides_on_the_next_submit(line: Wire) -> None:
    line.connect()
    line.session.submit(make_call("a"))
    line.said()
    line.hear(update(finished(0, 1)))
    assert line.said() is None
    line.session.submit(make_call("b"))
    assert line.said().submit.ack_sequence == 1
    line.now += 1
    assert line.said() is None


def test_an_ack_goes_alone_after_a_while(line: Wire) -> None:
    line.connect()
    line.session.submit(make_call("a"))
    line.said()
    line.hear(update(finished(0, 1)))
    assert line.session.next_timeout() == pytest.approx(machine.ACK_DELAY)
    line.now = machine.ACK_DELAY
    assert line.said().ack.sequence == 1
    assert line.session.next_timeout() is None


def test_an_ack_goes_at_once_when_much_waits_for_it(line: Wire) -> None:
    line.connect()
    count = machine.ACK_EVENTS
    line.session.submit(make_call(*(str(each) for each in range(count))))
    line.said()
    assert line.hear(update(*(finished(each, each + 1) for each in range(count)))).reply
    assert line.said().ack.sequence == count


def test_resuming_sends_what_was_not_accepted_and_nothing_else(line: Wire) -> None:
    line.connect()
    for slot in "abc":
        line.session.submit(make_call(slot))
        line.said()
    line.hear(update(finished(0, 1), accepted_up_to=1))
    line.session.broken()
    line.session.submit(make_call("d"))
    hello = line.connect(accepted_up_to=2)
    assert (hello.hello.resume.epoch, hello.hello.resume.sequence, hello.hello.resume.next_index) == (1, 1, 3)
    assert [call.first_index for call in line.said().submit.calls] == [2, 3]


def test_a_restarted_scheduler_is_told_what_it_lacks(line: Wire) -> None:
    line.connect()
    line.session.submit(make_call("a", "b", function=FUNCTION))
    line.session.submit(make_call("c"))
    line.session.submit(make_call("d"))
    line.said()
    claim = session_pb2.TaskClaimed(index=3, attempt=1, engine_id=7, incarnation=b"i" * 16)
    line.hear(update(finished(0, 1), finished(2, 2), session_pb2.Event(sequence=3, claimed=claim)))
    line.session.broken()
    line.session.connected()
    assert line.said().hello.resume.next_index == 4
    line.session.submit(make_call("e"))
    delivery = line.hear(welcome(epoch=2, replay=True))
    assert [call.first_index for call in delivery.replayed] == [0, 3, 4]
    replay = line.said().replay
    assert [call.first_index for call in replay.calls] == [0, 3]
    assert list(replay.finished_indexes) == [0]
    assert [(each.index, each.engine_id, each.incarnation) for each in replay.claims] == [(3, 7, b"i" * 16)]
    assert [each.digest for each in replay.functions] == [FUNCTION.digest]
    assert replay.complete
    assert [call.first_index for call in line.said().submit.calls] == [4]
    assert [slot for slot, _ in line.hear(update(finished(1, 1))).finished] == ["b"], "sequences start anew"


def test_a_long_replay_is_cut_and_the_last_part_says_so(line: Wire) -> None:
    line.connect()
    for _ in range(40):
        line.session.submit(make_call("a", argument=bytes(60_000)))
    while line.said() is not None:
        pass
    line.session.broken()
    line.connect(epoch=2, replay=True)
    parts = []
    while (said := line.said()) is not None:
        parts.append(said.replay)
    assert [part.complete for part in parts] == [False] * (len(parts) - 1) + [True]
    assert [call.first_index for part in parts for call in part.calls] == list(range(40))
    assert max(part.ByteSize() for part in parts) < machine.MESSAGE_BYTES


def test_calls_that_wait_for_credit_are_not_replayed_and_replays_cost_none(line: Wire) -> None:
    line.connect()
    line.hear(update(credit=session_pb2.SubmitCredit(total_tasks=1, total_bytes=10)))
    line.session.submit(make_call("a", argument=bytes(10)))
    line.session.submit(make_call("b", argument=bytes(10)))
    line.said()
    line.session.broken()
    line.session.connected()
    assert line.said().hello.resume.next_index == 1
    line.hear(welcome(epoch=2, replay=True, credit=session_pb2.SubmitCredit(total_tasks=1, total_bytes=10)))
    assert [call.first_index for call in line.said().replay.calls] == [0]
    assert line.said() is None
    line.hear(update(credit=session_pb2.SubmitCredit(total_tasks=2, total_bytes=10)))
    assert [call.first_index for call in line.said().submit.calls] == [1]


def test_a_scheduler_that_read_its_store_is_resumed(line: Wire) -> None:
    line.connect()
    for slot in "abc":
        line.session.submit(make_call(slot))
    line.said()
    line.hear(update(finished(0, 1)))
    line.session.broken()
    line.connect(epoch=2, accepted_up_to=2)
    assert [call.first_index for call in line.said().submit.calls] == [2]
    assert [slot for slot, _ in line.hear(update(finished(1, 1))).finished] == ["b"], "sequences start anew"


def test_a_scheduler_that_knows_more_than_was_sent_is_not_believed(line: Wire) -> None:
    line.session.connected()
    line.said()
    assert "never submitted" in (line.hear(welcome(accepted_up_to=5)).ended or "")


def test_an_empty_replay_is_said_too(line: Wire) -> None:
    line.connect()
    line.session.broken()
    line.connect(epoch=2, replay=True)
    assert line.said().replay.complete
    assert line.said() is None


def test_a_cancel_does_not_overtake_its_submit(line: Wire) -> None:
    line.connect()
    line.hear(update(credit=session_pb2.SubmitCredit(total_tasks=1, total_bytes=1 << 30)))
    line.session.submit(make_call("a"))
    line.session.submit(make_call("b"))
    line.session.cancel([0, 1], session_pb2.CANCEL_MODE_ABORT)
    assert line.said().HasField("submit")
    assert list(line.said().cancel.indexes) == [0]
    assert line.said() is None
    line.hear(update(credit=session_pb2.SubmitCredit(total_tasks=2, total_bytes=1 << 30)))
    assert line.said().HasField("submit")
    assert list(line.said().cancel.indexes) == [1]


def test_a_weaker_cancel_changes_nothing(line: Wire) -> None:
    line.connect()
    line.session.submit(make_call("a"))
    line.said()
    interrupt, abort = session_pb2.CANCEL_MODE_INTERRUPT, session_pb2.CANCEL_MODE_ABORT
    line.session.cancel([0], abort)
    line.session.cancel([0], interrupt, kill_after=3)
    for weaker in ((interrupt, None), (abort, None), (interrupt, 5.0)):
        line.session.cancel([0], *weaker)
    assert line.said().cancel.kill_after_millis == 3000
    line.session.cancel([0], interrupt)
    assert line.said() is None
    line.session.cancel([0], interrupt, kill_after=1)
    assert line.said().cancel.kill_after_millis == 1000


@pytest.mark.parametrize("where", ["hold", "unsent"])
def test_a_submit_that_was_interrupted_never_was(line: Wire, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    line.connect()
    line.session.submit(make_call("a", function=FUNCTION))
    line.said()

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if where == "hold":
            patched.setattr(line.session._functions, "hold", interrupt)
        else:
            patched.setattr(line.session, "_unsent", Interrupting())
        with pytest.raises(KeyboardInterrupt):
            line.session.submit(make_call("b", function=FUNCTION))
    line.session.submit(make_call("c", function=FUNCTION))
    assert [call.first_index for call in line.said().submit.calls] == [1]


def test_a_message_that_was_interrupted_is_said_on_the_next_stream(line: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    line.connect()
    line.session.submit(make_call("a"))
    with monkeypatch.context() as patched:
        patched.setattr(line.session, "_unsent", Interrupting(line.session._unsent))
        with pytest.raises(KeyboardInterrupt):
            line.said()
        unsent = deque(line.session._unsent)
    line.session._unsent = unsent
    line.session.broken()
    line.connect()
    assert [call.first_index for call in line.said().submit.calls] == [0]
    assert line.said() is None


class Interrupting(deque[Any]):
    """Nothing is put in or taken out: Ctrl-C comes first."""

    def append(self, _: Any) -> None:
        raise KeyboardInterrupt

    def popleft(self) -> Any:
        raise KeyboardInterrupt


def test_cancels_are_said_again_on_a_new_stream(line: Wire) -> None:
    line.connect()
    line.session.submit(make_call("a"))
    line.said()
    line.session.cancel([0], session_pb2.CANCEL_MODE_ABORT)
    line.said()
    line.session.broken()
    line.connect(accepted_up_to=1)
    assert list(line.said().cancel.indexes) == [0]


def test_a_replay_is_complete_once_cancels_are_said(line: Wire) -> None:
    line.connect()
    line.session.submit(make_call("a"))
    line.said()
    line.session.cancel([0], session_pb2.CANCEL_MODE_ABORT)
    line.session.broken()
    line.connect(epoch=2, replay=True)
    replay = line.said().replay
    assert [call.first_index for call in replay.calls] == [0] and not replay.complete
    assert list(line.said().cancel.indexes) == [0]
    replay = line.said().replay
    assert replay.complete and not replay.calls


def test_functions_that_are_asked_for_are_cut(line: Wire) -> None:
    line.connect()
    large = [Function(bytes([n]) * 32, Payload(Encoding.PICKLE5, bytes(700_000)), "f") for n in range(3)]
    for function in large:
        line.session.submit(make_call("a", function=function))
        while line.said() is not None:
            pass
    line.hear(update(need_functions=[function.digest for function in large]))
    for function in large:
        said = line.said()
        assert said.ByteSize() < machine.MESSAGE_BYTES
        assert [each.digest for each in said.submit.functions] == [function.digest]
    assert line.said() is None


def test_blobs_of_a_result_that_comes_again_are_released(line: Wire) -> None:
    line.connect()
    line.session.submit(make_call("a"))
    line.said()
    again = finished(0, 2)
    again.finished.outcome.result.buffers.add().blob.blob_id = b"b" * 16
    assert line.hear(update(finished(0, 1), again)).reply
    assert list(line.said().release.blob_ids) == [b"b" * 16]


def test_released_blobs_are_named(line: Wire) -> None:
    line.connect()
    line.session.released.extend([b"1" * 16, b"2" * 16])
    assert list(line.said().release.blob_ids) == [b"1" * 16, b"2" * 16]
    assert line.said() is None


def test_closing_is_the_last_word(line: Wire) -> None:
    line.connect()
    line.session.close()
    assert line.said().HasField("close")
    line.session.submit(make_call("a"))
    assert line.said() is None


@pytest.mark.parametrize(
    ("reason", "final"),
    [("SHUTDOWN", False), ("OUT_OF_ORDER", False), ("EXPIRED", True), ("SUPERSEDED", True), ("LIMIT", True)],
)
def test_a_closed_session_is_over_or_is_tried_again(line: Wire, reason: str, final: bool) -> None:
    line.connect()
    closed = session_pb2.SessionClosed(reason=session_pb2.SessionClosed.Reason.Value(f"REASON_{reason}"), message="why")
    delivery = line.hear(session_pb2.OpenSessionResponse(closed=closed))
    assert "why" in ((delivery.ended if final else delivery.hang_up) or "")
    assert (delivery.hang_up if final else delivery.ended) is None


def test_a_reason_of_a_later_release_ends_a_session_too(line: Wire) -> None:
    line.connect()
    closed = session_pb2.SessionClosed(reason=42, message="why")  # type: ignore[arg-type]
    delivery = line.hear(session_pb2.OpenSessionResponse(closed=closed))
    assert delivery.ended == "why (42)"


def test_hand_framing_is_protobuf() -> None:
    blobs: list[Blob] = []
    payload = Payload(Encoding.PICKLE5, b"p" * 300, [b"b" * 5000, bytearray(b"c" * 10)], "3.11")
    field, inline = wire.argument(payload, 4000, blobs)
    message = session_pb2.Call.FromString(field)
    assert inline == 310
    argument = message.arguments[0]
    assert (argument.data, argument.python_version, argument.buffers[1].inline) == (b"p" * 300, "3.11", b"c" * 10)
    assert argument.buffers[0].blob.size_bytes == 5000
    (blob,) = blobs
    assert (blob.blob_id, bytes(blob.data or b"")) == (argument.buffers[0].blob.blob_id, b"b" * 5000)
    for value in (0, 1, 127, 128, 300, 16_383, 16_384, 1 << 40):
        encoded = wire.call(value, b"")
        assert session_pb2.Submit.FromString(encoded).calls[0].first_index == value


def test_a_notice_of_dropped_output_is_shown_once() -> None:
    output = TaskOutput()
    for offset, data, dropped in ((0, b"abc", 0), (23, b"", 20), (23, b"", 20), (23, b"d", 0)):
        piece = task_pb2.Output(kind=task_pb2.OUTPUT_KIND_STDOUT, offset=offset, data=data, dropped_bytes=dropped)
        output.add(session_pb2.TaskOutput(index=0, attempt=1, output=piece))
    assert output.stdout == "abc\n... 20 bytes over the task's output limit are not here ...\nd"
