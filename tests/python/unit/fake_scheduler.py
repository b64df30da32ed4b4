"""A scheduler and its engines as one function: it runs each task at once, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable

from paraply import _serialize
from paraply._proto.common.v1 import payload_pb2, peer_pb2, task_pb2
from paraply._proto.controller.v1 import cluster_pb2
from paraply._proto.scheduler.v1 import session_pb2
from paraply._transport.fake import FakeTransport

INLINE_BYTES = 1000
Call = session_pb2.Call


def welcome(**fields: object) -> session_pb2.OpenSessionResponse:
    """A welcome with credit for all."""
    message = session_pb2.OpenSessionResponse(welcome=session_pb2.SessionWelcome(cluster_id="c", epoch=1))
    message.welcome.scheduler.CopyFrom(peer_pb2.PeerInfo(protocol_min=1, protocol_max=1))
    given = session_pb2.SessionWelcome(**fields)  # type: ignore[arg-type]
    if not given.HasField("credit"):
        given.credit.CopyFrom(session_pb2.SubmitCredit(total_tasks=1 << 40, total_bytes=1 << 40))
    message.welcome.MergeFrom(given)
    return message


def finished(index: int, sequence: int, value: object = None, engine_id: int = 0) -> session_pb2.Event:
    """A task's result."""
    payload = _serialize.dump_result(value)
    result = payload_pb2.Payload(encoding=payload_pb2.ENCODING_PICKLE5, data=bytes(payload.data))
    outcome = task_pb2.Outcome(result=result, started_unix_nanos=10**18, finished_unix_nanos=10**18 + 5 * 10**8)
    event = session_pb2.TaskFinished(index=index, attempt=1, engine_id=engine_id, outcome=outcome)
    return session_pb2.Event(sequence=sequence, finished=event)


def update(*events: session_pb2.Event, **fields: object) -> session_pb2.OpenSessionResponse:
    """An update with these events."""
    return session_pb2.OpenSessionResponse(update=session_pb2.SessionUpdate(events=events, **fields))  # type: ignore[arg-type]


def engine(engine_id: int) -> peer_pb2.Engine:
    """An engine."""
    return peer_pb2.Engine(engine_id=engine_id, incarnation=bytes([engine_id]) * 16)


class FakeScheduler:
    """Answers a session's requests. `hold` keeps results back until `release`."""

    def __init__(self, engines: int = 4) -> None:
        self.engines = engines
        self.namespaces: dict[int, dict[str, object]] = {each: {} for each in range(engines)}
        self.functions: dict[bytes, _serialize.Prepared] = {}
        self.epoch = 1
        self.sequence = 0
        self.accepted = 0
        self.hold: Callable[[int], bool] = lambda index: False
        self.held: list[tuple[int, Call, int]] = []
        self.running: set[int] = set()
        self.stubborn: set[int] = set()
        self.cancels: list[session_pb2.CancelIndexes] = []
        #: Whether the client has ended its session.
        self.closed = False
        #: Whether it is told that its calls are accepted.
        self.accepts = True
        self.ran: list[int] = []
        self.acknowledged = 0
        self.released: list[bytes] = []
        self.transport = FakeTransport(self.answer, {GET_CLUSTER_INFO: self.cluster_info})

    def cluster_info(self, request: cluster_pb2.GetClusterInfoRequest) -> cluster_pb2.GetClusterInfoResponse:
        """The controller's answer."""
        peer = peer_pb2.PeerInfo(protocol_min=1, protocol_max=1)
        return cluster_pb2.GetClusterInfoResponse(
            cluster_id="c",
            controller=peer,
            scheduler=peer,
            scheduler_endpoints=[cluster_pb2.Endpoint(same=cluster_pb2.Same())],
            limits=peer_pb2.Limits(inline_bytes=INLINE_BYTES, message_bytes=1 << 20),
        )

    def answer(self, request: session_pb2.OpenSessionRequest) -> list[session_pb2.OpenSessionResponse]:
        """What the scheduler says to one request."""
        kind = request.WhichOneof("message")
        if kind == "hello":
            replay = request.hello.HasField("resume") and request.hello.resume.epoch != self.epoch
            engines = [engine(each) for each in self.namespaces]
            return [welcome(epoch=self.epoch, accepted_up_to=self.accepted, replay=replay, engines=engines)]
        if kind == "submit":
            if request.submit.HasField("ack_sequence"):
                self.acknowledged = request.submit.ack_sequence
            return self._take(request.submit.functions, request.submit.calls, set())
        if kind == "replay":
            return self._take(request.replay.functions, request.replay.calls, set(request.replay.finished_indexes))
        if kind == "ack":
            self.acknowledged = request.ack.sequence
        if kind == "release":
            self.released += request.release.blob_ids
        if kind == "cancel":
            return [self._update(self._cancelled(request.cancel))]
        if kind == "close":
            self.closed = True
        return []

    def _cancelled(self, request: session_pb2.CancelIndexes) -> list[session_pb2.Event]:
        """What is held counts as queued, or as running if it is in `running`; `stubborn` tasks go on till they are killed."""
        self.cancels.append(request)
        events = []
        for held in list(self.held):
            index, call, offset = held
            place = call.direct.engine_ids[offset] if call.direct.engine_ids else None
            killed = request.HasField("kill_after_millis")
            if index not in request.indexes:
                continue
            if index not in self.running:
                events.append(self._failed(index, task_pb2.FAILURE_KIND_ABORTED))
            elif request.mode != session_pb2.CANCEL_MODE_INTERRUPT or (index in self.stubborn and not killed):
                continue
            else:
                name = "EngineError" if index in self.stubborn else "KeyboardInterrupt"
                events.append(
                    self._failed(index, task_pb2.FAILURE_KIND_CANCELLED, type(name, (Exception,), {})(), place)
                )
            self.held.remove(held)
        return events

    def _take(self, functions: object, calls: object, done: set[int]) -> list[session_pb2.OpenSessionResponse]:
        for function in functions:  # type: ignore[attr-defined]
            self.functions[function.digest] = _serialize.prepare_function(_payload(function.payload))
        events = []
        for call in calls:  # type: ignore[attr-defined]
            count = len(call.direct.engine_ids) or len(call.arguments) or 1
            self.accepted = call.first_index + count
            for offset in range(count):
                index = call.first_index + offset
                if index in done:
                    continue
                if self.hold(index):
                    self.held.append((index, call, offset))
                else:
                    events.append(self._run(index, call, offset))
        return [self._update(events, **({"accepted_up_to": self.accepted} if self.accepts else {}))]

    def release(self, send: Callable[[session_pb2.OpenSessionResponse], None]) -> None:
        """Runs what was held back."""
        held, self.held = self.held, []
        send(self._update([self._run(*each) for each in held]))

    def write(self, index: int, text: bytes) -> None:
        """Has a task write to its standard output."""
        output = session_pb2.TaskOutput(index=index, attempt=1, engine_id=0)
        output.output.MergeFrom(task_pb2.Output(kind=task_pb2.OUTPUT_KIND_STDOUT, data=text))
        self.transport.streams[-1].send(self._update([session_pb2.Event(output=output)]))

    def _update(self, events: list[session_pb2.Event], **fields: object) -> session_pb2.OpenSessionResponse:
        for event in events:
            self.sequence += 1
            event.sequence = self.sequence
        return update(*events, **fields)

    def _run(self, index: int, call: Call, offset: int) -> session_pb2.Event:
        self.ran.append(index)
        places = call.direct.engine_ids
        place = places[offset] if places else index % self.engines
        namespace = self.namespaces[place]
        try:
            if call.HasField("execute"):
                exec(call.execute.source, namespace)
                value = _serialize.dump_result(None)
            else:
                arguments = call.arguments[offset if len(call.arguments) > 1 else 0]
                prepared = self.functions[call.function_digest]
                value = _serialize.run(prepared, self._fetched(arguments), namespace, place)
        except Exception as failure:  # noqa: BLE001  # users' code
            return self._failed(index, task_pb2.FAILURE_KIND_EXCEPTION, failure, place)
        return self._finished(index, value, place)

    def _finished(self, index: int, value: _serialize.Payload, place: int) -> session_pb2.Event:
        event = finished(index, 0, engine_id=place)
        result = event.finished.outcome.result
        result.data = bytes(value.data)
        for part, buffer in enumerate(value.buffers):
            blob_id = index.to_bytes(8, "big") + part.to_bytes(8, "big")
            if len(buffer) > INLINE_BYTES:
                self.transport.blobs[blob_id] = bytearray(buffer)
                result.buffers.add(blob=payload_pb2.BlobRef(blob_id=blob_id, size_bytes=len(buffer)))
            else:
                result.buffers.add(inline=bytes(buffer))
        return event

    @staticmethod
    def _failed(
        index: int, kind: task_pb2.FailureKind, failure: Exception | None = None, place: int | None = None
    ) -> session_pb2.Event:
        text = task_pb2.Failure(kind=kind, type_name=type(failure).__name__, message=str(failure), engine_id=place)
        outcome = task_pb2.Outcome(failure=text)
        return session_pb2.Event(finished=session_pb2.TaskFinished(index=index, engine_id=place, outcome=outcome))

    def _fetched(self, payload: payload_pb2.Payload) -> _serialize.Payload:
        fetched = _payload(payload)
        if payload.HasField("data_blob"):
            fetched.data = self._blob(payload.data_blob)
        fetched.buffers = [
            self._blob(buffer.blob) if buffer.HasField("blob") else buffer.inline for buffer in payload.buffers
        ]
        return fetched

    def _blob(self, ref: payload_pb2.BlobRef) -> bytearray:
        """Waits for an upload, which may end after its call was submitted, or asks for it."""
        end = time.monotonic() + 10
        if ref.kept:
            want = payload_pb2.BlobWant(blob_id=ref.blob_id, transfer_id=1)
            update = session_pb2.SessionUpdate(wanted_blobs=[want])
            self.transport.streams[-1].send(session_pb2.OpenSessionResponse(update=update))
        while len(self.transport.blobs.get(ref.blob_id, b"")) < ref.size_bytes and time.monotonic() < end:
            time.sleep(0.005)
        return self.transport.blobs[ref.blob_id]


GET_CLUSTER_INFO = "paraply.controller.v1.ClusterService/GetClusterInfo"


def _payload(payload: payload_pb2.Payload) -> _serialize.Payload:
    encoding = _serialize.Encoding(payload.encoding)
    return _serialize.Payload(encoding, payload.data, [], payload.python_version)
