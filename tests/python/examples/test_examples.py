"""Each example runs as its first lines say, and prints what it promises."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from home import Home, empty_home

EXAMPLES = Path(__file__).parents[3] / "examples"
#: With which arguments each is quick, and what it prints: regular expressions.
EXPECTED: dict[str, tuple[list[str], list[str]]] = {
    "monte_carlo_pi": (
        ["40000"],
        [r"here:      pi is about 3\.1", r"4 engines: pi is about 3\.1", r"  engine 3, pid \d+: \d+ tasks"],
    ),
    "longrun": ([], [r"engines \[0, 1, 2, 3\] are the processes", r"six sizes, balanced +\d"]),
    "scatter_gather": (
        [],
        [r"parts of \[\(250000,\)", r"mean 2\.9996, standard deviation 1\.9969", r"gathered \(1000000,\)"],
    ),
    "line_count": ([], [r"lines in \d+ files, counted by engines \["]),
    "raw_stubs": ([], [r"apply:  +\[\d+, \d+\]", r"map:    +\[0, 1, 4,", r"scatter \[50, 50\]"]),
}


def test_every_example_is_run() -> None:
    # tests/python/strangers run one, and test_rust.py runs one beside its twin in Rust.
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*EXPECTED, "stranger", "pi"}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    arguments, expected = EXPECTED[name]
    # This one is a client of a cluster that runs; the others start their own, and leave nothing.
    beside = name == "raw_stubs"
    with empty_home(tmp_path, monkeypatch, stop=beside) as home:
        if beside:
            home.start(2)
        printed = run(home, name, arguments)
    for pattern in expected:
        assert re.search(pattern, printed), printed


def run(home: Home, name: str, arguments: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments],
        env=home.env | {"PYTHONWARNINGS": "error"},
        cwd=home.folder,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
