"""The vectors in ``proto/testdata/session``: what happens to a client's session, and what it then says and tells.

``tests/sim/tests/session_vectors`` records them from the machine in Rust, and says how to record them anew. Here the same
things happen to this client's machine. Where the two differ by design, ``_Normal`` says how and why.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paraply._proto.common.v1 import payload_pb2
from paraply._proto.scheduler.v1 import session_pb2
from paraply._serialize import Encoding, Function, Payload
from paraply._session import machine
from paraply._session.call import Blob, Call
from paraply._session.machine import Delivery, Session
from paraply.client._output import TaskOutput

FOLDER = Path(__file__).parents[3] / "proto" / "testdata" / "session"
TRACES = sorted(FOLDER.glob("*.json"))
Message = session_pb2.OpenSessionRequest


class _Normal:
    """What was said and told, as far as every client has to say and tell the same.

    - When to dial is for the link, above this machine, and so are the reasons for people of a hang-up or an end.
    - A stream's end after the client's own close, or a close without a stream, ends the link and not the machine.
    - Engines are told of as they come and go; this machine hands on a welcome's whole list, and its user compares.
    - Results, claims and output of one message are told kind by kind, in order within each.
    - Output is cut to what is new by the task that takes it: what counts is what it has in the end.
    - Arguments of finished tasks may be left out of what is said again.
    """

    def __init__(self) -> None:
        self.said: list[Message] = []
        self.hung_up = self.ended = False
        self.engines: list[tuple[str, int]] = []
        self.claims: list[session_pb2.TaskClaimed] = []
        self.finished: list[session_pb2.TaskFinished] = []
        #: Blobs kept here that somebody reads, with the transfer and the offset.
        self.wanted: list[tuple[bytes, int, int]] = []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Normal) and vars(self) == vars(other)

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in vars(self).items())

    def say(self, raw: bytes, finished: set[int]) -> None:
        message = Message.FromString(raw)
        for call in (*message.submit.calls, *message.replay.calls):
            if len(call.arguments) > 1:
                for position, argument in enumerate(call.arguments):
                    if call.first_index + position in finished:
                        argument.Clear()
        self.said.append(message)


class _Engines:
    """The engines that a client knows of."""

    def __init__(self) -> None:
        self.known: dict[int, Any] = {}

    def replace(self, engines: list[Any], normal: _Normal) -> None:
        there = {engine.engine_id for engine in engines}
        for engine_id in [each for each in sorted(self.known) if each not in there]:
            self.left(engine_id, normal)
        for engine in sorted(engines, key=lambda each: each.engine_id):
            self.joined(engine, normal)

    def joined(self, engine: Any, normal: _Normal) -> None:
        if self.known.get(engine.engine_id) != engine:
            self.known[engine.engine_id] = engine
            normal.engines.append(("joined", engine.engine_id))

    def left(self, engine_id: int, normal: _Normal) -> None:
        if self.known.pop(engine_id, None) is not None:
            normal.engines.append(("left", engine_id))


class _Python:
    """This client's machine, with the thinnest of links."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.session: Session[int] = Session(
            bytes.fromhex(config["session"]), None, config["label"], config["cancel_on_disconnect"]
        )
        self.normal = _Normal()
        self.outputs: dict[int, TaskOutput] = {}
        self.finished: set[int] = set()
        self._engines = _Engines()
        self._connected = self._line_free = self._closing = False

    def happens(self, step: dict[str, Any], now: int) -> None:
        what = step["do"]
        if what == "submit":
            self.session.submit(self._call(step))
        elif what == "cancel":
            mode = session_pb2.CANCEL_MODE_INTERRUPT if step["interrupt"] else session_pb2.CANCEL_MODE_ABORT
            kill_after = step["kill_after_millis"]
            self.session.cancel(step["indexes"], mode, None if kill_after is None else kill_after / 1000)
        elif what == "release":
            self.session.released.extend(bytes.fromhex(blob) for blob in step["blobs"])
        elif what == "close":
            self._closing = True
            self.session.close()
            self.normal.ended |= not self._connected
        elif what == "connected":
            self._connected = self._line_free = True
            self.session.connected()
        elif what == "line_free":
            self._line_free = self._connected
        elif what == "broken":
            self._break()
        elif what == "received":
            self._hear(session_pb2.OpenSessionResponse.FromString(bytes.fromhex(step["message"])), now)
        else:
            assert what == "tick"

    def flush(self, now: int) -> _Normal:
        if self._line_free and not self.normal.ended:
            message = self.session.next_message(now)
            if message is not None:
                self._line_free = False
                self.normal.say(message, self.finished)
        normal, self.normal = self.normal, _Normal()
        return normal

    def hang_up(self, normal: _Normal) -> None:
        """The link sees that the scheduler is silent."""
        normal.hung_up = True
        self._break()

    def _call(self, step: dict[str, Any]) -> Call[int]:
        call = session_pb2.Call.FromString(bytes.fromhex(step["call"]))
        direct = call.WhichOneof("placement") == "direct"
        count = len(call.direct.engine_ids) if direct else max(len(call.arguments), 1)
        inline = len(call.execute.source.encode())
        for argument in call.arguments:
            inline += len(argument.data) + sum(len(buffer.inline) for buffer in argument.buffers)
        function = None
        if "function" in step:
            sent = payload_pb2.Function.FromString(bytes.fromhex(step["function"]))
            function = Function(sent.digest, Payload(Encoding(sent.payload.encoding), sent.payload.data), sent.name)
        first = self.session.next_index
        refs = [buffer.blob for argument in call.arguments for buffer in argument.buffers if buffer.HasField("blob")]
        blobs = [Blob(ref.blob_id, b"") for ref in refs if ref.kept]
        slots = list(range(first, first + count))
        return Call(call.SerializeToString(), slots, inline, function, blobs, keeps_blobs=bool(blobs))

    def _break(self) -> None:
        self._connected = self._line_free = False
        self.session.broken()
        self.normal.ended |= self._closing

    def _hear(self, response: session_pb2.OpenSessionResponse, now: int) -> None:
        delivery = self.session.received(response, now)
        self._deliver(delivery)
        if delivery.ended is not None:
            self.normal.ended = True
        if delivery.ended is not None or delivery.hang_up is not None:
            self.normal.hung_up = True
            self._break()

    def _deliver(self, delivery: Delivery[int]) -> None:
        if delivery.engines is not None:
            self._engines.replace(delivery.engines, self.normal)
        for event in delivery.membership:
            if event.HasField("engine_joined"):
                self._engines.joined(event.engine_joined, self.normal)
            else:
                self._engines.left(event.engine_left.engine_id, self.normal)
        self.normal.wanted += [(want.blob_id, want.transfer_id, want.offset) for _, want in delivery.wanted]
        self.normal.claims += [claim for _, claim in delivery.claimed]
        for index, output in delivery.output:
            self.outputs.setdefault(index, TaskOutput()).add(output)
        for index, finished in delivery.finished:
            assert index == finished.index
            self.finished.add(index)
            self.normal.finished.append(finished)


class _Stored:
    """What the trace says."""

    def __init__(self) -> None:
        self.outputs: dict[int, TaskOutput] = {}
        self.finished: set[int] = set()

    def read(self, out: list[dict[str, Any]]) -> _Normal:
        normal = _Normal()
        for each in out:
            if "deliver" in each:
                update = session_pb2.OpenSessionResponse.FromString(bytes.fromhex(each["deliver"])).update
                for event in update.events:
                    self._told(event, normal)
            if "pass_on" in each:
                want = each["pass_on"]
                normal.wanted.append((bytes.fromhex(want["blob"]), want["transfer"], want["offset"]))
            normal.hung_up |= "hang_up" in each
            normal.ended |= "ended" in each
        for each in out:
            if "send" in each:
                normal.say(bytes.fromhex(each["send"]), self.finished)
        return normal

    def _told(self, event: session_pb2.Event, normal: _Normal) -> None:
        kind = event.WhichOneof("event")
        if kind == "engine_joined":
            normal.engines.append(("joined", event.engine_joined.engine_id))
        elif kind == "engine_left":
            normal.engines.append(("left", event.engine_left.engine_id))
        elif kind == "claimed":
            normal.claims.append(event.claimed)
        elif kind == "output":
            self.outputs.setdefault(event.output.index, TaskOutput()).add(event.output)
        else:
            self.finished.add(event.finished.index)
            normal.finished.append(event.finished)


def written(output: TaskOutput | None) -> tuple[str, str, list[Any]]:
    return ("", "", []) if output is None else (output.stdout, output.stderr, output._records)


def test_there_are_traces() -> None:
    assert len(TRACES) > 20


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_this_client_does_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = json.loads(path.read_text(encoding="utf-8"))
    config = trace["config"]
    # Limits are each client's own. Time is in nanoseconds here, as the traces have it.
    monkeypatch.setattr(machine, "MESSAGE_BYTES", config["message_bytes"])
    monkeypatch.setattr(machine, "ACK_EVENTS", config["ack_events"])
    monkeypatch.setattr(machine, "ACK_BYTES", config["ack_bytes"])
    monkeypatch.setattr(machine, "ACK_DELAY", config["ack_delay_nanos"])
    ours, stored, heard = _Python(config), _Stored(), False
    for number, step in enumerate(trace["steps"]):
        if step["do"] == "flush":
            said, expected = ours.flush(step["at"]), stored.read(step["out"])
            if expected.hung_up and not heard:
                ours.hang_up(said)
            heard = False
            assert said == expected, f"step {number}"
            if expected.ended:
                break
        else:
            heard |= step["do"] == "received"
            ours.happens(step, step["at"])
    for index in ours.outputs.keys() | stored.outputs.keys():
        assert written(ours.outputs.get(index)) == written(stored.outputs.get(index)), f"output of task {index}"
