"""A controller and a scheduler in one, that say exactly what a test wants said, and one real engine process."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from paraply import _serialize
from paraply._proto.blob.v1 import blob_pb2, blob_pb2_grpc
from paraply._proto.common.v1 import payload_pb2, peer_pb2, task_pb2
from paraply._proto.controller.v1 import cluster_pb2, membership_pb2, membership_pb2_grpc
from paraply._proto.scheduler.v1 import engine_link_pb2 as link
from paraply._proto.scheduler.v1 import engine_link_pb2_grpc, session_pb2

CLUSTER = "scripted"
SESSION = bytes(range(16))
TOKEN = "0123456789abcdef0123456789abcdef"
PATIENCE = 20.0


def to_proto(payload: _serialize.Payload, blobs: dict[bytes, bytes] | None = None) -> payload_pb2.Payload:
    """A payload; with `blobs`, its buffers go there and are named."""
    message = payload_pb2.Payload(
        encoding=int(payload.encoding), data=bytes(payload.data), python_version=payload.python_version
    )
    for buffer in payload.buffers:
        if blobs is None:
            message.buffers.add(inline=bytes(buffer))
        else:
            name = os.urandom(16)
            blobs[name] = bytes(buffer)
            message.buffers.add(blob=payload_pb2.BlobRef(blob_id=name, size_bytes=len(blobs[name])))
    return message


def blobs_of(outcome: task_pb2.Outcome) -> list[payload_pb2.BlobRef]:
    """The blobs that a result names."""
    result = outcome.result
    data = [result.data_blob] if result.HasField("data_blob") else []
    return data + [buffer.blob for buffer in result.buffers if buffer.HasField("blob")]


@dataclass
class Finished:
    """What a task came to."""

    outcome: task_pb2.Outcome
    output: list[task_pb2.Output] = field(default_factory=list)
    blobs: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def value(self) -> Any:
        """The result, or an AssertionError that says how the task failed."""
        assert self.outcome.HasField("result"), self.outcome.failure
        result = self.outcome.result
        buffers = [
            bytearray(buffer.inline if buffer.HasField("inline") else self.blobs[buffer.blob.blob_id])
            for buffer in result.buffers
        ]
        data = self.blobs[result.data_blob.blob_id] if result.HasField("data_blob") else result.data
        encoding = _serialize.Encoding(result.encoding)
        return _serialize.load_result(_serialize.Payload(encoding, data, buffers, result.python_version))

    @property
    def failure(self) -> task_pb2.Failure:
        """The failure, or an AssertionError if there is none."""
        assert self.outcome.HasField("failure"), self.value
        return self.outcome.failure

    def text(self, kind: int) -> str:
        """All that was written to a stream; checks the offsets, and that the outcome counts it."""
        pieces = [piece for piece in self.output if piece.kind == kind]
        end = 0
        for piece in pieces:
            assert piece.offset == end + piece.dropped_bytes
            end = piece.offset + len(piece.data)
        counted = self.outcome.stdout_bytes if kind == task_pb2.OUTPUT_KIND_STDOUT else self.outcome.stderr_bytes
        assert end == counted
        return b"".join(piece.data for piece in pieces).decode()

    @property
    def stdout(self) -> str:
        """What was written to stdout."""
        return self.text(task_pb2.OUTPUT_KIND_STDOUT)

    @property
    def stderr(self) -> str:
        """What was written to stderr."""
        return self.text(task_pb2.OUTPUT_KIND_STDERR)

    def records(self, kind: int) -> list[Any]:
        """Structured output of one kind."""
        return [json.loads(piece.data) for piece in self.output if piece.kind == kind]


class Scripted(
    membership_pb2_grpc.MembershipServiceServicer,
    engine_link_pb2_grpc.EngineLinkServiceServicer,
    blob_pb2_grpc.BlobServiceServicer,
):
    """Serves one engine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._to_engine: queue.Queue[link.AttachEngineResponse | None] = queue.Queue()
        self._finished: queue.Queue[task_pb2.AttemptId] = queue.Queue()
        self._done: dict[int, Finished] = {}
        self._output: dict[int, list[task_pb2.Output]] = {}
        self._index = itertools.count()
        self._known: set[bytes] = set()
        self.reports: list[link.EngineReports] = []
        self.hellos: queue.Queue[link.EngineHello] = queue.Queue()
        self.registrations: list[membership_pb2.RegisterMemberRequest] = []
        self.blobs: dict[bytes, bytes] = {}
        self.output_limit = 1 << 20
        self.epoch = 7
        self.hold_acks = False
        self.token = TOKEN
        #: Tokens that streams to the scheduler came with.
        self.tokens: list[str] = []
        #: Ends the streams on which leases are kept, when set.
        self.lose_controller = threading.Event()
        #: Signals that the controller passes on.
        self.signals: queue.Queue[str] = queue.Queue()
        #: What reads and writes of blobs fail with, while it is set.
        self.store_fails: grpc.StatusCode | None = None
        self.reads = 0
        #: Whether large parts of results are asked for as soon as they are known.
        self.fetches_results = True
        #: What the engine keeps of each result.
        self.kept: dict[int, list[bytes]] = {}
        #: Blobs that the engine has begun to write are read on while it is set.
        self.reading = threading.Event()
        self.reading.set()
        self.begun: list[blob_pb2.BlobHeader] = []
        #: Of all blobs that were written.
        self.headers: list[blob_pb2.BlobHeader] = []
        #: Outcomes, and the blobs without which they are not whole.
        self._waiting: list[tuple[link.AttemptFinished, set[bytes]]] = []
        self._transfers = itertools.count(1)
        #: Where the controller says that the scheduler is; None: where the controller is.
        self.scheduler_port: int | None = None
        self.server = grpc.server(ThreadPoolExecutor(16))
        membership_pb2_grpc.add_MembershipServiceServicer_to_server(self, self.server)
        engine_link_pb2_grpc.add_EngineLinkServiceServicer_to_server(self, self.server)
        blob_pb2_grpc.add_BlobServiceServicer_to_server(self, self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        self.connection = folder / "engine.json"
        self.write_connection()

    def write_connection(self, **changes: Any) -> None:
        """Writes the engine's connection file."""
        content = {
            "version": 1,
            "cluster_id": CLUSTER,
            "role": "engine",
            "profile": "default",
            "endpoints": [{"tcp": f"127.0.0.1:{self.port}"}],
            "token": self.token,
        }
        self.connection.write_text(json.dumps(content | changes))
        self.connection.chmod(0o600)

    # What the engine calls.

    def RegisterMember(self, request: Any, context: Any) -> Any:
        assert dict(context.invocation_metadata())["authorization"] == f"Bearer {self.token}"
        self.registrations.append(request)
        here = cluster_pb2.Endpoint(same=cluster_pb2.Same())
        if self.scheduler_port is not None:
            here = cluster_pb2.Endpoint(tcp=f"127.0.0.1:{self.scheduler_port}")
        return membership_pb2.RegisterMemberResponse(
            cluster_id=CLUSTER, member_id=5, ticket=b"ticket", lease_millis=30_000, scheduler_endpoints=[here]
        )

    def KeepAlive(self, requests: Any, context: Any) -> Any:
        next(requests)
        while not self.lose_controller.wait(0.05) and context.is_active():
            signals = [self.signals.get()] if not self.signals.empty() else []
            yield membership_pb2.KeepAliveResponse(signals=signals)
        self.lose_controller.clear()

    def AttachEngine(self, requests: Any, context: Any) -> Any:
        hello = next(requests).hello
        self.tokens.append(dict(context.invocation_metadata())["authorization"].removeprefix("Bearer "))
        self._to_engine = outgoing = queue.Queue()
        self._known = set()
        # Tests that wait for it write to the new queue.
        self.hellos.put(hello)
        limits = peer_pb2.Limits(inline_bytes=65536, task_output_bytes=self.output_limit)
        welcome = link.EngineWelcome(cluster_id=CLUSTER, epoch=self.epoch, lease_millis=30_000, limits=limits)
        yield link.AttachEngineResponse(welcome=welcome)
        context.add_callback(lambda: outgoing.put(None))
        reader = ThreadPoolExecutor(1)
        reader.submit(self._read, requests, outgoing)
        while True:
            try:
                message = outgoing.get(timeout=0.5)
            except queue.Empty:
                message = link.AttachEngineResponse(heartbeat=link.SchedulerHeartbeat())
            if message is None:
                return
            yield message

    def _read(self, requests: Any, outgoing: queue.Queue[Any]) -> None:
        with contextlib.suppress(grpc.RpcError):
            for request in requests:
                if request.HasField("reports"):
                    self._report(request.reports)
        outgoing.put(None)

    def _report(self, reports: link.EngineReports) -> None:
        self.reports.append(reports)
        for piece in reports.output:
            self._output.setdefault(piece.attempt_id.task_id.index, []).append(piece.output)
        acked = []
        for end in reports.finished:
            index = end.attempt_id.task_id.index
            acked.append(end.attempt_id)
            kept = [blob.blob_id for blob in blobs_of(end.outcome) if blob.kept]
            self.kept[index] = kept
            self._waiting.append((end, {blob for blob in kept if self.fetches_results}))
            if kept and self.fetches_results:
                self.want(kept)
        self._finish_what_is_here()
        if acked and not self.hold_acks:
            self.order(link.EngineOrders(acked=acked))

    def _finish_what_is_here(self) -> None:
        for waiting in list(self._waiting):
            end, blobs = waiting
            if blobs <= self.blobs.keys():
                self._waiting.remove(waiting)
                index = end.attempt_id.task_id.index
                self._done[index] = Finished(end.outcome, self._output.pop(index, []), self.blobs)
                self._finished.put(end.attempt_id)

    def want(self, blobs: list[bytes]) -> None:
        """Asks for blobs that the engine keeps."""
        wants = [payload_pb2.BlobWant(blob_id=blob, transfer_id=next(self._transfers)) for blob in blobs]
        self.order(link.EngineOrders(wanted_blobs=wants))

    def WriteBlob(self, requests: Any, context: Any) -> Any:
        if self.store_fails is not None:
            context.abort(self.store_fails, "the store says no")
        header, data = next(requests).header, bytearray()
        self.begun.append(header)
        assert self.reading.wait(PATIENCE)
        for request in requests:
            data += request.chunk.data
        if len(data) < header.size_bytes:
            context.abort(grpc.StatusCode.DATA_LOSS, "the engine has stopped in the middle")
        assert len(data) == header.size_bytes and header.session_id == SESSION
        self.blobs[header.blob_id] = bytes(data)
        self.headers.append(header)
        self._finish_what_is_here()
        return blob_pb2.WriteBlobResponse(committed_bytes=len(data))

    def ReadBlob(self, request: Any, context: Any) -> Iterator[Any]:
        self.reads += 1
        if self.store_fails is not None:
            context.abort(self.store_fails, "the store says no")
        if request.blob_id not in self.blobs:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such blob")
        data = self.blobs[request.blob_id]
        for offset in range(request.offset, len(data), 1 << 20):
            chunk = blob_pb2.BlobChunk(offset=offset, data=data[offset : offset + (1 << 20)])
            yield blob_pb2.ReadBlobResponse(chunk=chunk)

    # What a test says.

    def order(self, orders: link.EngineOrders) -> None:
        """Sends orders."""
        self._to_engine.put(link.AttachEngineResponse(orders=orders))

    def call(self, function: Any, *args: Any, **kwargs: Any) -> int:
        """Assigns a call of `function`; returns its index."""
        return self.call_payload(function, to_proto(_serialize.dump_arguments(args, kwargs)))

    def call_payload(self, function: Any, arguments: payload_pb2.Payload, **changes: Any) -> int:
        """The same with the arguments as they are; `changes` are fields of the function's payload."""
        dumped = _serialize.dump_function(function)
        payload = to_proto(dumped.payload)
        for name, value in changes.items():
            setattr(payload, name, value)
        digest = hashlib.sha256(payload.data).digest()
        functions = [payload_pb2.Function(digest=digest, payload=payload, name=dumped.name)]
        if digest in self._known:
            functions = []
        self._known.add(digest)
        index = next(self._index)
        task = link.AssignedTask(index=index, attempt=1, claimed=True, arguments=arguments)
        call = link.AssignedCall(
            function_digest=digest,
            options=session_pb2.CallOptions(name=dumped.name),
            session_id=SESSION,
            direct=True,
            tasks=[task],
        )
        self.order(link.EngineOrders(functions=functions, assigned=[call]))
        return index

    def execute(self, source: str, silent: bool = False, filename: str = "") -> int:
        """Assigns the execution of code; returns its index."""
        index = next(self._index)
        call = link.AssignedCall(
            execute=session_pb2.ExecuteCode(source=source, silent=silent, filename=filename),
            options=session_pb2.CallOptions(),
            session_id=SESSION,
            direct=True,
            tasks=[link.AssignedTask(index=index, attempt=1, claimed=True)],
        )
        self.order(link.EngineOrders(assigned=[call]))
        return index

    def cancel(self, index: int, **changes: Any) -> None:
        """Interrupts a task. `changes` are further fields."""
        attempt = task_pb2.AttemptId(task_id=task_pb2.TaskId(session_id=SESSION, index=index), attempt=1)
        cancel = link.CancelAttempt(attempt_id=attempt, mode=session_pb2.CANCEL_MODE_INTERRUPT, **changes)
        self.order(link.EngineOrders(cancel=[cancel]))

    def wait(self, index: int) -> Finished:
        """The end of a task."""
        deadline = time.monotonic() + PATIENCE
        while index not in self._done:
            self._finished.get(timeout=max(0.01, deadline - time.monotonic()))
        return self._done[index]

    def wait_for_output(self, index: int, text: str) -> None:
        """Until a running task has written something."""
        deadline = time.monotonic() + PATIENCE
        while text not in b"".join(piece.data for piece in self._output.get(index, [])).decode():
            assert time.monotonic() < deadline, f"no {text!r} came from task {index}"
            time.sleep(0.005)

    def run(self, function: Any, *args: Any, **kwargs: Any) -> Finished:
        """Calls and waits."""
        return self.wait(self.call(function, *args, **kwargs))

    def run_code(self, source: str, silent: bool = False, filename: str = "") -> Finished:
        """Executes and waits."""
        return self.wait(self.execute(source, silent, filename))


class Engine:
    """A real engine process. `parent` is the end of the pipe whose closing means that its parent is dead."""

    def __init__(self, scripted: Scripted, *flags: str, cwd: Path | None = None, **environment: str) -> None:
        read, self.parent = os.pipe()
        os.set_blocking(read, False)
        self.log = (scripted._folder / "engine.log").open("w+b")
        command = [sys.executable, "-m", "paraply.engine", "--connection", str(scripted.connection)]
        self.process = subprocess.Popen(
            [*command, "--parent-fd", str(read), *flags],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            pass_fds=[read],
            cwd=cwd,
            env=os.environ | environment,
        )
        os.close(read)

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    def wait(self) -> int:
        """Waits for its end; its exit status, or the signal that ended it as a negative number."""
        return self.process.wait(PATIENCE)

    def stop(self) -> None:
        """Ends the engine and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        os.close(self.parent)
        self.log.close()

    def logged(self) -> str:
        """Its log."""
        self.log.flush()
        return Path(self.log.name).read_text()
