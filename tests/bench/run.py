"""The command line: `make bench`, or `python -m bench` from `tests/`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bench import systems
from bench.page import page
from bench.processes import adopt_orphans, raise_on_termination
from bench.report import missed, tables
from bench.rounds import TESTS, Plan, run
from bench.rows import WORKLOADS

PAGE = TESTS.parent / "docs" / "benchmarks.md"


def main() -> None:
    options = _parser().parse_args()
    plan = Plan(
        systems=[systems.OURS, *(name for name in options.peers if name != systems.OURS)],
        workloads=options.only,
        rounds=options.rounds or (1 if options.quick else 3),
        engines=options.engines,
        quick=options.quick,
    )
    adopt_orphans()
    raise_on_termination()
    load = os.getloadavg()[0]
    try:
        measured = run(plan)
    except KeyboardInterrupt:
        sys.exit("stopped, and everything that was started with it")
    print(tables(measured))
    if options.json:
        options.json.write_text(json.dumps({name: asdict(found) for name, found in measured.items()}, indent=1) + "\n")
    if _is_whole(plan):
        PAGE.write_text(page(measured, plan, load))
        print(f"\nwritten to {PAGE.relative_to(TESTS.parent)}")
    if plan.quick:
        print("\nThis was quick, with less of everything: the figures say little.")
    else:
        for row in missed(measured):
            print(f"below the first bar: {row.title}")
    # That a peer could not be measured is a line of the report.
    sys.exit(1 if measured[systems.OURS].problems else 0)


def _is_whole(plan: Plan) -> bool:
    """A run of parts, or a quick one, is not what the page shows."""
    return not plan.quick and plan.workloads is None and set(plan.systems) == set(systems.NAMES)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=...",
        description="Runs the same workloads on Paraply and its peers, in rounds, and prints one table. A run of "
        "everything is written to docs/benchmarks.md too.",
    )
    peers = [name for name in systems.NAMES if name != systems.OURS]
    parser.add_argument(
        "--peers",
        type=_names(systems.NAMES),
        default=peers,
        metavar="NAMES",
        help=f"what Paraply is measured beside, of {','.join(peers)} (default: all); 'paraply' for Paraply alone",
    )
    parser.add_argument(
        "--only",
        type=_names(WORKLOADS),
        metavar="WORKLOADS",
        help=f"of {','.join(WORKLOADS)}; start is always measured (default: all)",
    )
    parser.add_argument("--rounds", type=_positive, metavar="N", help="rounds (default: 3)")
    parser.add_argument("--engines", type=_positive, default=4, metavar="N", help="engines of each (default: 4)")
    parser.add_argument("--quick", action="store_true", help="one round of little: does it work?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure of every round there")
    return parser


def _names(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Reads a list of names, each of which is known."""

    def names(text: str) -> list[str]:
        found = list(dict.fromkeys(name for name in text.split(",") if name))
        if unknown := [name for name in found or [text] if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {','.join(known)}")
        return found

    return names


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError("a positive number is needed")
    return int(text)
