"""What a task wrote: byte streams with offsets, and structured records in order."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

from paraply._proto.common.v1 import task_pb2
from paraply._serialize import Encoding, Payload, load_result

if TYPE_CHECKING:
    from paraply._proto.scheduler.v1 import session_pb2

_STREAMS = {task_pb2.OUTPUT_KIND_STDOUT: 0, task_pb2.OUTPUT_KIND_STDERR: 1}

_SMALL_BYTES = 64 << 10


class TaskOutput:
    """Output of one task, of its latest attempt.

    Records are kept as bytes and read when asked for: reading a published value runs the user's code.
    """

    __slots__ = ("_attempt", "_ends", "_next_record", "_records", "_streams")

    def __init__(self) -> None:
        self._reset(0)

    def _reset(self, attempt: int) -> None:
        self._attempt = attempt
        self._streams = (bytearray(), bytearray())
        self._ends = [0, 0]
        self._next_record = 0
        self._records: list[tuple[int, bytes]] = []

    def add(self, event: session_pb2.TaskOutput) -> None:
        """Takes one piece of output. After a restart of the scheduler an engine may say again what it said before."""
        if event.attempt < self._attempt:
            return
        if event.attempt > self._attempt:
            self._reset(event.attempt)
        piece = event.output
        stream = _STREAMS.get(piece.kind)
        if stream is not None:
            self._write(stream, piece.offset, piece.data, piece.dropped_bytes)
        elif piece.offset >= self._next_record:
            self._next_record = piece.offset + 1
            self._records.append((piece.kind, piece.data))

    def _write(self, stream: int, offset: int, data: bytes, dropped: int) -> None:
        repeated = max(self._ends[stream] - offset, 0)
        # Without data it is a notice: bytes were dropped up to its offset.
        news = repeated < len(data) if data else dropped > 0 and offset > self._ends[stream]
        if not news:
            return
        if dropped and not repeated:
            self._streams[stream].extend(b"\n... %d bytes over the task's output limit are not here ...\n" % dropped)
        self._streams[stream].extend(data[repeated:])
        self._ends[stream] = offset + len(data)

    def is_small(self) -> bool:
        """Whether it is no more than a message would hold."""
        return sum(map(len, self._streams)) + sum(len(data) for _, data in self._records) <= _SMALL_BYTES

    @property
    def stdout(self) -> str:
        """What was written to standard output."""
        return collapse_returns(self._streams[0].decode(errors="replace"))

    @property
    def stderr(self) -> str:
        """What was written to standard error."""
        return collapse_returns(self._streams[1].decode(errors="replace"))

    def since(self, stream: str, start: int, *, whole_lines: bool) -> tuple[str, int]:
        """What was written to "stdout" or "stderr" from a byte on, and up to which byte that is."""
        written = self._streams[stream == "stderr"]
        end = len(written)
        if whole_lines:
            end = max(written.rfind(b"\n", start) + 1, start)
        return bytes(written[start:end]).decode(errors="replace"), end

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """Rich displays, as Jupyter's `display_data` contents."""
        return self._contents(task_pb2.OUTPUT_KIND_DISPLAY_DATA)

    @property
    def execute_result(self) -> dict[str, Any] | None:
        """Jupyter's `execute_result` content."""
        return self._last(task_pb2.OUTPUT_KIND_EXECUTE_RESULT)

    @property
    def execute_input(self) -> dict[str, Any] | None:
        """Jupyter's `execute_input` content."""
        return self._last(task_pb2.OUTPUT_KIND_EXECUTE_INPUT)

    @property
    def published(self) -> dict[str, Any]:
        """What the task published with `publish_data`, or a native function with its context."""
        values: dict[str, Any] = {}
        for kind, data in self._records:
            if kind == task_pb2.OUTPUT_KIND_PUBLISHED:
                values.update(pickle.loads(data))
            elif kind == task_pb2.OUTPUT_KIND_PUBLISHED_PORTABLE:
                values.update(load_result(Payload(Encoding.MSGPACK, data)))
        return values

    def _contents(self, wanted: int) -> list[dict[str, Any]]:
        return [json.loads(data) for kind, data in self._records if kind == wanted]

    def _last(self, wanted: int) -> dict[str, Any] | None:
        contents = self._contents(wanted)
        return contents[-1] if contents else None


def collapse_returns(text: str) -> str:
    """Keeps of each line what a terminal would still show after carriage returns, so that progress bars stay short."""
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(_after_returns(line) for line in lines)


def _after_returns(line: str) -> str:
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown
