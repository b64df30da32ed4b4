"""The arithmetic of the workloads, and that a system that answers wrongly gets no figure."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from bench import workloads
from bench.rows import OWN_ROWS, ROWS
from bench.scale import QUICK
from bench.systems import System


class Immediate(System):
    """It does everything at once, in this process."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def call_one(self, function: Any, *arguments: Any) -> Any:
        return function(*arguments)

    def map_tasks(self, function: Any, values: Any) -> list[Any]:
        return [function(value) for value in values]

    def push(self, name: str, value: Any) -> None:
        self.values[name] = value.copy()

    def pull(self, name: str) -> Any:
        return self.values[name]


class Cached(Immediate):
    """It takes what it is given only once."""

    def push(self, name: str, value: Any) -> None:
        self.values.setdefault(name, value.copy())


class Forgetful(Immediate):
    """It loses a result."""

    def map_tasks(self, function: Any, values: Any) -> list[Any]:
        return super().map_tasks(function, values)[:-1]


def bench(system: System) -> workloads.Bench:
    return workloads.Bench(system, QUICK, lambda *_: None, lambda x: x, engines=4, shared_memory=0)


def test_each_workload_gives_the_figures_of_its_rows() -> None:
    running = bench(Immediate())
    for name in ("latency", "tasks", "tasks1k", "push", "pull"):
        figures = workloads.WORKLOADS[name](running)
        assert list(figures) == [row.key for row in ROWS if row.workload == name]
        assert all(figure > 0 for figure in figures.values())


def test_every_row_has_a_workload() -> None:
    from bench import own

    assert {row.workload for row in ROWS} == {"start", *workloads.WORKLOADS}
    assert {row.workload for row in OWN_ROWS} == set(own.WORKLOADS)


@pytest.mark.parametrize(("system", "workload"), [(Cached(), "push"), (Forgetful(), "tasks"), (Forgetful(), "tasks1k")])
def test_a_wrong_answer_is_no_figure(system: System, workload: str) -> None:
    with pytest.raises(AssertionError):
        workloads.WORKLOADS[workload](bench(system))


def test_a_verb_that_is_missing_is_told_as_such() -> None:
    with pytest.raises(NotImplementedError):
        workloads.WORKLOADS["broadcast"](bench(Immediate()))


def test_what_is_moved_is_another_array_each_time() -> None:
    seen: list[Any] = []

    class Watched(Immediate):
        def push(self, name: str, value: Any) -> None:
            super().push(name, value)
            seen.append(self.values[name])

    workloads.WORKLOADS["push"](bench(Watched()))
    assert len(seen) == QUICK.moves
    assert not numpy.array_equal(seen[0], seen[1])


def test_calls_stop_when_patience_ends_but_not_before_a_fifth() -> None:
    assert len(workloads.repeated(lambda: None, 50)) == 50
    assert len(workloads.repeated(lambda: None, 50, patience=0)) == 10


def test_percentiles_are_of_what_was_measured() -> None:
    ordered = [float(n) for n in range(1, 101)]
    assert workloads.percentile(ordered, 0.5) == 51
    assert workloads.percentile(ordered, 0.99) == 100
    assert workloads.percentile([7.0], 0.99) == 7
