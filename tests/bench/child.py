"""One system, measured once, in a process of its own: what `rounds` starts.

It writes a line of JSON for each workload as soon as it is done: its figures, null where the system lacks the verb, or
what went wrong. The functions that are called are those of `__main__`, as a user's are: systems that send functions by
value do so here.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from bench import own, scale, systems, workloads


def nothing(*_: Any) -> None:
    """A no-op."""


def same(x: Any) -> Any:
    """What came."""
    return x


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("system", choices=systems.NAMES)
    parser.add_argument("figures", type=Path)
    parser.add_argument("--engines", type=int, required=True)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    with options.figures.open("a") as figures:

        def tell(workload: str, measure: Callable[[], workloads.Figures]) -> bool:
            told: dict[str, Any]
            try:
                told = {"figures": measure()}
            except NotImplementedError:
                told = {"figures": None}
            except Exception as error:  # noqa: BLE001
                traceback.print_exc()
                told = {"problem": f"{type(error).__name__}: {error}"[:500]}
            print(f"  {workload}: {_shown(told)}", file=sys.stderr, flush=True)
            print(json.dumps({"workload": workload, **told}), file=figures, flush=True)
            return "problem" not in told

        _measure(options, tell)


def _shown(told: dict[str, Any]) -> str:
    if "problem" in told:
        return str(told["problem"])
    if told["figures"] is None:
        return "it cannot"
    return ", ".join(f"{key} {figure:,.4g}" for key, figure in told["figures"].items())


def _measure(options: argparse.Namespace, tell: Callable[[str, Callable[[], workloads.Figures]], bool]) -> None:
    shared_memory = psutil.disk_usage("/dev/shm").used
    running: list[systems.System] = []

    def start() -> workloads.Figures:
        def begin() -> None:
            system = systems.make(options.system)
            system.start(options.engines)
            running.append(system)
            try:
                system.call_all(nothing)
            except NotImplementedError:
                system.call_one(nothing)

        return {"start": workloads.timed(begin)[0]}

    # What a start that failed leaves is ended by who started this process.
    if not tell("start", start):
        return
    try:
        size = scale.QUICK if options.quick else scale.FULL
        bench = workloads.Bench(running[0], size, nothing, same, options.engines, shared_memory)
        every = workloads.WORKLOADS | (own.WORKLOADS if options.system == systems.OURS else {})
        for name, workload in every.items():
            if options.only is None or name in options.only:
                tell(name, lambda workload=workload: workload(bench))  # type: ignore[misc]
    finally:
        running[0].stop()


if __name__ == "__main__":
    main()
