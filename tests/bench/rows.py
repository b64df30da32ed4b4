"""The rows of the report: what each figure is, and how it compares."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure of every system.

    Args:
        key: What results call it.
        workload: Which workload measures it.
        title: What it is.
        smaller_is_better: Times and sizes; else rates.
        bar: How many times better than ipyparallel Paraply has to be; None where nothing is asked.
    """

    key: str
    workload: str
    title: str
    unit: str
    smaller_is_better: bool
    bar: float | None = None

    def times_better(self, ours: float, theirs: float) -> float:
        """How many times better our figure is than theirs; below 1 it is worse."""
        return theirs / ours if self.smaller_is_better else ours / theirs


#: Measured on every system.
ROWS = (
    Row("start", "start", "start, to a result of every engine", "s", True, 1 / 0.3),
    Row("latency", "latency", "blocking no-op, one engine", "µs", True, 6),
    Row("latency_p99", "latency", "the same, 99th percentile", "µs", True),
    Row("broadcast", "broadcast", "blocking no-op, all engines", "µs", True, 8),
    Row("tasks", "tasks", "balanced no-op tasks", "1/s", False, 35),
    Row("futures", "futures", "independent asynchronous no-ops", "1/s", False, 30),
    Row("tasks1k", "tasks1k", "balanced tasks of 1 KiB both ways", "1/s", False, 25),
    Row("push", "push", "push 64 MiB", "MB/s", False, 4),
    Row("pull", "pull", "pull 64 MiB", "MB/s", False, 3),
    Row("scatter", "scatter", "scatter 64 MiB", "MB/s", False, 3),
    Row("gather", "gather", "gather 64 MiB", "MB/s", False, 3),
    Row("pushall", "pushall", "push 16 MiB to all", "MB/s", False, 3),
    Row("memory", "memory", "memory of the servers, after all that", "MiB", True, 10),
)

#: Measured on Paraply only.
OWN_ROWS = (
    Row("alone_median", "neighbour", "blocking no-op, alone", "µs", True),
    Row("alone_ratio", "neighbour", "the same, 99th percentile over median", "", True),
    Row("beside_median", "neighbour", "blocking no-op, beside a client that submits batches", "µs", True),
    Row("beside_ratio", "neighbour", "the same, 99th percentile over median", "", True),
    Row("floor_latency", "floor", "bare gRPC: a small message, there and back", "µs", True),
    Row("floor_push", "floor", "bare gRPC: 64 MiB, there", "MB/s", False),
    Row("floor_pull", "floor", "bare gRPC: 64 MiB, back", "MB/s", False),
    Row("submit_cpu_1k", "cpu", "scheduler CPU to take a task, 1,000 queued", "µs", True),
    Row("run_cpu_1k", "cpu", "scheduler CPU to have a task run, 1,000 queued", "µs", True),
    Row("submit_cpu_200k", "cpu", "scheduler CPU to take a task, 200,000 queued", "µs", True),
    Row("run_cpu_200k", "cpu", "scheduler CPU to have a task run, 200,000 queued", "µs", True),
)

WORKLOADS = tuple(dict.fromkeys(row.workload for row in (*ROWS, *OWN_ROWS)))
