"""Rounds of all systems in turn: A B C, B C A, C A B. What the machine does meanwhile meets them all alike."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.processes import environment, process

#: The folder that has this package.
TESTS = Path(__file__).resolve().parent.parent
#: Seconds that a system gets for one round.
PATIENCE = 300.0


@dataclass
class Measured:
    """What the rounds gave for one system.

    Args:
        figures: By the key of their row, one a round.
        problems: What went wrong, by workload.
    """

    figures: dict[str, list[float]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def add(self, told: dict[str, Any]) -> None:
        """Takes what a child says of a workload."""
        for key, figure in (told.get("figures") or {}).items():
            self.figures.setdefault(key, []).append(figure)
        if "problem" in told:
            self.problems[told["workload"]] = told["problem"]


@dataclass(frozen=True)
class Plan:
    """What to run: of every system these workloads (None: all), so many times."""

    systems: Sequence[str]
    workloads: Sequence[str] | None
    rounds: int
    engines: int
    quick: bool


def run(plan: Plan) -> dict[str, Measured]:
    """Runs the plan. A system that fails has that for its figures, and the others go on."""
    measured = {name: Measured() for name in plan.systems}
    for nth in range(plan.rounds):
        for name in rotated(plan.systems, nth):
            print(f"round {nth + 1} of {plan.rounds}: {name}", file=sys.stderr, flush=True)
            _turn(plan, name, measured[name])
    return measured


def rotated(systems: Sequence[str], nth: int) -> list[str]:
    """The order of the `nth` round: who was first goes last."""
    first = nth % len(systems)
    return [*systems[first:], *systems[:first]]


def _turn(plan: Plan, name: str, measured: Measured) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        told = Path(folder, "figures")
        told.touch()
        command = [sys.executable, "-m", "bench.child", name, str(told), "--engines", str(plan.engines)]
        if plan.quick:
            command.append("--quick")
        if plan.workloads is not None:
            command += ["--only", *plan.workloads]
        # Where systems put their files, and where engines find the functions of modules.
        places = ("PARAPLY_HOME", "IPYTHONDIR", "RAY_TMPDIR", "DASK_TEMPORARY_DIRECTORY")
        env = environment(**dict.fromkeys(places, folder), PYTHONPATH=str(TESTS), RAY_USAGE_STATS_ENABLED="0")
        with process(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=sys.stderr) as child:
            try:
                if code := child.wait(PATIENCE):
                    measured.problems["run"] = f"ended with exit status {code}"
            except subprocess.TimeoutExpired:
                measured.problems["run"] = f"did not finish within {PATIENCE:.0f} s"
        for line in told.read_text().splitlines():
            measured.add(json.loads(line))
