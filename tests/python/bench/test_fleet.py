"""`make bench-fleet` from end to end, with a small fleet: every task has its result, or an engine that is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from rust_examples import built_program

import bench
from bench import fleet

TESTS = Path(bench.__file__).parent.parent


def test_a_fleet_comes_answers_and_goes() -> None:
    env = os.environ | {"PYTHONPATH": str(TESTS), fleet.PROGRAM: str(built_program("fleet"))}
    small = ["--engines", "60", "--processes", "6", "--tasks", "5000"]
    done = subprocess.run(
        [sys.executable, "-m", "bench.fleet", *small], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    parts = {part.pop("part"): part for part in map(json.loads, done.stdout.splitlines())}
    assert set(parts) == {"map", "register", "broadcast", "lose", "balanced"}
    assert 3.1 < parts["map"]["pi"] < 3.2
    assert (parts["register"]["engines"], parts["register"]["processes"]) == (60, 6)
    assert parts["balanced"]["tasks"] == 10_000
    assert parts["balanced"]["wrong"] == 0
    assert parts["balanced"]["lost_with_engines"] <= 60
