"""What is done to every system. Each workload gives figures by the keys of its rows.

The rules: a task an element, and no chunks. What is moved is changed before each move, so that no cache can answer.
What comes back is compared with what it has to be.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy
import psutil

from bench.scale import Scale
from bench.systems import System

Figures = dict[str, float]


@dataclass
class Bench:
    """A system that runs, and what the workloads have in common.

    Args:
        nothing: A function that returns None, whatever it is given.
        same: A function that returns what it is given.
        engines: How many.
        shared_memory: Bytes that were in use in /dev/shm before the system was started.
    """

    system: System
    scale: Scale
    nothing: Callable[..., Any]
    same: Callable[[Any], Any]
    engines: int
    shared_memory: int
    array: Any = field(init=False)

    def __post_init__(self) -> None:
        self.array = numpy.random.default_rng(0).random(self.scale.array // 8)

    @property
    def array_to_all(self) -> Any:
        """The beginning of the array: what is pushed to all engines."""
        return self.array[: self.scale.array_to_all // 8]


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """The seconds that a call took, and what it returned."""
    begun = time.perf_counter()
    result = call()
    return time.perf_counter() - begun, result


def repeated(call: Callable[[], Any], times: int, patience: float = float("inf")) -> list[float]:
    """The seconds that each of several calls took, sorted. A fifth of them is made however long they take."""
    took: list[float] = []
    while len(took) < times and (len(took) < times / 5 or sum(took) < patience):
        took.append(timed(call)[0])
    return sorted(took)


def percentile(ordered: list[float], part: float) -> float:
    """The value below which a part of them is."""
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def latency(bench: Bench) -> Figures:
    """Blocking calls of one engine, one after the other."""

    def call() -> None:
        assert bench.system.call_one(bench.nothing) is None

    repeated(call, bench.scale.warm_up)
    took = repeated(call, bench.scale.calls, bench.scale.patience)
    return {"latency": statistics.median(took) * 1e6, "latency_p99": percentile(took, 0.99) * 1e6}


def broadcast(bench: Bench) -> Figures:
    """Blocking calls of all engines, one after the other."""

    def call() -> None:
        assert list(bench.system.call_all(bench.nothing)) == [None] * bench.engines

    repeated(call, bench.scale.warm_up)
    return {"broadcast": statistics.median(repeated(call, bench.scale.broadcasts, bench.scale.patience)) * 1e6}


def tasks(bench: Bench) -> Figures:
    """A map with a task for each number."""
    few, numbers = list(range(200)), list(range(bench.scale.tasks))
    bench.system.map_tasks(bench.same, few)
    took, results = timed(lambda: bench.system.map_tasks(bench.same, numbers))
    assert list(results) == numbers
    return {"tasks": len(numbers) / took}


def futures(bench: Bench) -> Figures:
    """Tasks that are submitted one at a time, and then collected."""
    numbers = list(range(bench.scale.tasks))
    system, same = bench.system, bench.same
    took, results = timed(lambda: system.collect([system.submit(same, number) for number in numbers]))
    assert list(results) == numbers
    return {"futures": len(numbers) / took}


def tasks1k(bench: Bench) -> Figures:
    """A map with a task for each KiB, which comes back."""
    pieces = [bytes([number % 256]) * 1024 for number in range(bench.scale.kib_tasks)]
    took, results = timed(lambda: bench.system.map_tasks(bench.same, pieces))
    assert list(results) == pieces
    return {"tasks1k": len(pieces) / took}


def push(bench: Bench) -> Figures:
    """An array to one engine."""
    rate = _rate_to(bench, bench.array, lambda: bench.system.push("whole", bench.array))
    assert numpy.array_equal(bench.system.pull("whole"), bench.array)
    return {"push": rate}


def pull(bench: Bench) -> Figures:
    """An array of one engine's."""
    bench.system.push("whole", bench.array)
    return {"pull": _rate_from(bench, lambda: bench.system.pull("whole"))}


def scatter(bench: Bench) -> Figures:
    """A part of an array to each engine."""
    rate = _rate_to(bench, bench.array, lambda: bench.system.scatter("part", bench.array))
    assert numpy.array_equal(bench.system.gather("part"), bench.array)
    return {"scatter": rate}


def gather(bench: Bench) -> Figures:
    """An array of which each engine has a part."""
    bench.system.scatter("part", bench.array)
    return {"gather": _rate_from(bench, lambda: bench.system.gather("part"))}


def pushall(bench: Bench) -> Figures:
    """An array to each engine; the bytes of all copies count."""
    array = bench.array_to_all
    rate = _rate_to(bench, array, lambda: bench.system.push_all("copy", array)) * bench.engines
    copies = bench.system.pull_all("copy")
    assert len(copies) == bench.engines and all(numpy.array_equal(copy, array) for copy in copies)
    return {"pushall": rate}


def memory(bench: Bench) -> Figures:
    """What the processes between client and engines hold, and what is in shared memory."""
    servers = bench.system.servers()
    shared = max(psutil.disk_usage("/dev/shm").used - bench.shared_memory, 0)
    return {"memory": (sum(server.memory_info().rss for server in servers) + shared) / (1 << 20)}


#: In the order in which they are run: memory is what is left when the others are done.
WORKLOADS: dict[str, Callable[[Bench], Figures]] = {
    workload.__name__: workload
    for workload in (latency, broadcast, tasks, futures, tasks1k, push, pull, scatter, gather, pushall, memory)
}


def _rate_to(bench: Bench, array: Any, move: Callable[[], Any]) -> float:
    """MB/s of an array that is changed before each move."""
    took = []
    for turn in range(bench.scale.moves):
        array[turn * 1000] += 1
        took.append(timed(move)[0])
    return array.nbytes / 1e6 / statistics.median(took)


def _rate_from(bench: Bench, move: Callable[[], Any]) -> float:
    """MB/s of an array that comes back. Each is dropped before the next comes."""
    took = []
    for _ in range(bench.scale.moves):
        seconds, came = timed(move)
        assert numpy.array_equal(came, bench.array)
        took.append(seconds)
        del came
    return bench.array.nbytes / 1e6 / statistics.median(took)
