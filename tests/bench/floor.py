"""The same roads with nothing behind them: grpcio's public interface to a relay, the relay to an end, and back.

What is above these figures is ours; what is in them is gRPC's and the kernel's.
"""

from __future__ import annotations

import os
import queue
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc

from bench.workloads import Bench, Figures, repeated

#: The program that is relay and end: `cargo build --example floor`.
PROGRAM = "BENCH_FLOOR"
_METHOD = "/paraply.bench.Floor"
#: Bytes in a message that is a part of more, as the services cut them.
_MESSAGE = 1 << 20
#: About as long as a submit of a no-op.
_SMALL = bytes(100)


def floor(bench: Bench) -> Figures:
    """Small messages there and back, one after the other; large bytes there, and back."""
    if PROGRAM not in os.environ:
        raise NotImplementedError
    with _served() as channel:
        echo = _Echo(channel)
        repeated(echo.call, bench.scale.warm_up)
        calls = repeated(echo.call, bench.scale.calls, bench.scale.patience)
        echo.end()
        there = repeated(lambda: _write(channel, bench.array), bench.scale.moves)
        back = repeated(lambda: _read(channel, bench.array.nbytes // _MESSAGE), bench.scale.moves)
    megabytes = bench.array.nbytes / 1e6
    return {
        "floor_latency": statistics.median(calls) * 1e6,
        "floor_push": megabytes / statistics.median(there),
        "floor_pull": megabytes / statistics.median(back),
    }


@contextmanager
def _served() -> Iterator[grpc.Channel]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        end, relay = str(folder / "end"), str(folder / "relay")
        for sockets in ([end], [relay, end]):
            command = [os.environ[PROGRAM], *sockets]
            # It ends with its standard input, which the end of this block closes.
            hop = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            assert hop.stdout and hop.stdout.readline() == b"ready\n", "a hop has not begun"
        options = [
            ("grpc.default_authority", "localhost"),
            ("grpc.max_receive_message_length", 4 * _MESSAGE),
        ]
        yield stack.enter_context(grpc.insecure_channel(f"unix:{relay}", options))


class _Echo:
    """A stream whose messages come back."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._there: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._back: Any = channel.stream_stream(f"{_METHOD}/Echo")(iter(self._there.get, None))

    def call(self) -> None:
        self._there.put(_SMALL)
        assert next(self._back) == _SMALL

    def end(self) -> None:
        self._there.put(None)
        assert list(self._back) == []


def _write(channel: grpc.Channel, array: Any) -> None:
    data = memoryview(array).cast("B")
    messages = (bytes(data[start : start + _MESSAGE]) for start in range(0, len(data), _MESSAGE))
    channel.stream_unary(f"{_METHOD}/Write")(messages)


def _read(channel: grpc.Channel, mib: int) -> None:
    messages = channel.unary_stream(f"{_METHOD}/Read")(b"", metadata=[("mib", str(mib))])
    assert sum(len(message) for message in messages) == mib * _MESSAGE
