"""What is measured on Paraply only: blocking calls beside a busy neighbour, what a task costs the scheduler, and gRPC itself."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from bench.floor import floor
from bench.systems.paraply import Paraply
from bench.workloads import Bench, Figures, percentile, repeated

#: Seconds between looks at how much is queued.
LOOK = 0.02
#: Seconds for a queue to fill.
QUEUED_WITHIN = 60.0


def neighbour(bench: Bench) -> Figures:
    """Blocking calls of one engine, first alone, and then while another client has the engines busy."""
    alone = _calls(bench, "alone")
    with _neighbour(_ours(bench)):
        return alone | _calls(bench, "beside")


def cpu(bench: Bench) -> Figures:
    """Microseconds of processor time that the scheduler spends on a task, until it is queued and after that."""
    figures = {}
    for name, (tasks, times) in (("1k", bench.scale.short_queue), ("200k", bench.scale.long_queue)):
        submits, runs = zip(*(_queue_and_run(bench, tasks) for _ in range(times)), strict=True)
        figures[f"submit_cpu_{name}"] = sum(submits) / (tasks * times) * 1e6
        figures[f"run_cpu_{name}"] = sum(runs) / (tasks * times) * 1e6
    return figures


WORKLOADS: dict[str, Callable[[Bench], Figures]] = {workload.__name__: workload for workload in (neighbour, floor, cpu)}


def _ours(bench: Bench) -> Paraply:
    assert isinstance(bench.system, Paraply)
    return bench.system


def _calls(bench: Bench, name: str) -> Figures:
    repeated(lambda: bench.system.call_one(bench.nothing), bench.scale.warm_up)
    took = repeated(lambda: bench.system.call_one(bench.nothing), bench.scale.own_calls)
    median = statistics.median(took)
    return {f"{name}_median": median * 1e6, f"{name}_ratio": percentile(took, 0.99) / median}


@contextmanager
def _neighbour(system: Paraply) -> Iterator[None]:
    """Another process submits maps of no-ops, one after the other."""
    command = [sys.executable, "-m", "bench.neighbour", system.cluster.connection_file]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        try:
            assert process.stdout.readline() == b"ready\n", "the neighbour has not begun"
            yield
        finally:
            # It ends with its standard input.
            process.stdin.close()
            assert process.wait() == 0, "the neighbour has failed"


def _queue_and_run(bench: Bench, tasks: int) -> tuple[float, float]:
    """The scheduler's processor seconds for tasks that are queued while no engine takes one, and for their running."""
    system = _ours(bench)
    scheduler = system.service("scheduler")
    numbers = list(range(tasks))
    with tempfile.TemporaryDirectory() as folder:
        gates = [Path(folder, str(engine)) for engine in system.client.ids]
        for gate in gates:
            os.mkfifo(gate)
        held = [
            system.client[engine].apply_async(_wait_at, str(gate))
            for engine, gate in zip(system.client.ids, gates, strict=True)
        ]
        # A gate can be opened from here once its engine waits at it.
        doors = [os.open(gate, os.O_WRONLY) for gate in gates]
        before = _processor_seconds(scheduler)
        result = system.balanced.map_async(bench.same, numbers)
        _wait_until_queued(system.client, tasks)
        queued = _processor_seconds(scheduler)
        for door in doors:
            os.close(door)
        assert result.get() == numbers
        done = _processor_seconds(scheduler)
        for waited in held:
            waited.get()
    return queued - before, done - queued


def _wait_at(gate: str) -> None:
    with open(gate, "rb") as file:
        file.read()


def _wait_until_queued(client: Any, tasks: int) -> None:
    end = time.monotonic() + QUEUED_WITHIN
    while _queued(client.queue_status()) < tasks:
        assert time.monotonic() < end, f"{tasks} tasks were not queued within {QUEUED_WITHIN:.0f} s"
        time.sleep(LOOK)


def _queued(status: dict[Any, Any]) -> int:
    """What waits, for an engine or for any."""
    engines = [row for engine, row in status.items() if engine != "unassigned"]
    return int(status["unassigned"] + sum(row["queue"] for row in engines))


def _processor_seconds(process: psutil.Process) -> float:
    """What its threads have used, by the kernel's own count, which is finer than the ticks of `cpu_times`."""
    threads = Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
