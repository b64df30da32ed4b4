"""Each seed document as one program, from top to bottom in one session: as a script, and through IPython."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parent / "programs"
sys.path.insert(0, str(PROGRAMS))

from plain import as_script
from running import run, run_in_ipython

PI = "3.141592653589793"
EXPECTED: dict[str, list[str]] = {
    "seed_000": ["importing numpy on engine(s)", "[3, 3, 3, 3]", "<AsyncResult(some_function):", "pi is about 3."],
    "seed_001": [
        "2\n<class 'paraply.client.view.DirectView'>",
        "102\n[26, 26, 25, 25] 102",
        "NameError: name 'myVarIn1' is not defined",
        "I am in 1\n[0:apply] NameError: name 'myVarIn1' is not defined",
        "<DirectView [0, 1, 2, 3]>",
        "[422, 4810, 1951, 3127]",
        "googlebooks-eng-all-5gram-20120701-zk.gz",
    ],
    "seed_002": [
        "[0, 1, 2, 3]",
        *[f"[stdout:{engine}] hi\n" for engine in range(4)],
        *[f"[stdout:{engine}] {PI}\n" for engine in range(4)],
        *[f"[stdout:{engine}] hi from px\n" for engine in range(4)],
        *[f"[stdout:{engine}] 1.414213562373095" for engine in range(4)],
    ],
}


def check(name: str, printed: str) -> None:
    assert f"{name.replace('_', ' ')} done" in printed
    for text in EXPECTED[name]:
        assert text in printed, printed


@pytest.mark.parametrize("name", EXPECTED)
def test_as_a_script(cluster: Any, tmp_path: Path, name: str) -> None:
    client = "clients" if name == "seed_000" else "rc"
    script = tmp_path / f"{name}.py"
    script.write_text(as_script((PROGRAMS / f"{name}.ipy").read_text(), client))
    check(name, run([str(script)], tmp_path))


@pytest.mark.parametrize("name", EXPECTED)
def test_through_ipython(cluster: Any, tmp_path: Path, name: str) -> None:
    check(name, run_in_ipython((PROGRAMS / f"{name}.ipy").read_text(), tmp_path))
