"""What metrics, and traces that nobody asked for, cost the scheduler: instructions a task, by callgrind."""

from __future__ import annotations

import operator
import os
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from bench.profile import under_callgrind, what_callgrind_counted
from bench.services import PATIENCE, services
from paraply import Client

#: Of the instructions of a task.
METRICS = 0.02
TRACES_OFF = 0.005

#: Functions, by the names that callgrind has for them.
OF_METRICS = re.compile(r"paraply_scheduler::(tally|figures)|paraply_common::telemetry::metrics")
OF_TRACES = re.compile(r"paraply_scheduler::traces|paraply_common::telemetry::(traces|spans)|opentelemetry")

#: Tasks of two runs: their difference has no start in it.
FEW, MANY = 1000, 4000


def test_metrics_and_traces_that_are_off_cost_a_task_next_to_nothing(tmp_path: Path) -> None:
    if shutil.which("valgrind") is None:
        assert "CI" not in os.environ, "valgrind is not here, and nothing is skipped where CI is set"
        pytest.skip("valgrind is not here (Debian's package of that name): instructions are not counted")
    few, many = (instructions(tmp_path / str(tasks), tasks) for tasks in (FEW, MANY))
    counts = Counter({name: max(0, count - few[name]) for name, count in many.items()})
    a_task = counts.total() / (MANY - FEW)
    metrics, traces = (
        sum(count for name, count in counts.items() if of.search(name)) / counts.total()
        for of in (OF_METRICS, OF_TRACES)
    )
    print(f"{a_task:,.0f} instructions a task: {metrics:.2%} of them for metrics, {traces:.2%} for traces that are off")
    assert 2_000 < a_task < 200_000, "something else was counted"
    assert 0 < metrics < METRICS
    assert traces < TRACES_OFF


def instructions(folder: Path, tasks: int) -> Counter[str]:
    """Those of each function of the scheduler, for so many no-ops and all that comes before and after."""
    folder.mkdir()
    counts = folder / "scheduler.callgrind"
    with services(folder, under_callgrind(counts)) as running:
        with Client(str(running.connection), timeout=PATIENCE) as client:
            client.wait_for_engines(1, timeout=PATIENCE)
            client.load_balanced_view().map_sync(operator.neg, range(tasks))
        shown = what_callgrind_counted(running.scheduler, counts, "--threshold=100")
    found: Counter[str] = Counter()
    for count, name in re.findall(r"^ *([\d,]+) +\( *[\d.]+%\) +(.*)$", shown, re.MULTILINE):
        if name != "PROGRAM TOTALS":
            found[name] += int(count.replace(",", ""))
    return found
