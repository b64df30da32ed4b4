"""The examples of the Rust client, beside a cluster of Python engines."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from home import empty_home
from rust_examples import ROOT, built, native_program

#: What they need that is not built without asking.
FEATURES = {"matrix": ["paraply/ndarray"], "table": ["paraply/arrow"]}

#: With which arguments each is run, and what it prints: a regular expression.
EXPECTED = {
    "table": ([], r"1000 rows; twice 999 is 1998"),
    "pi": ([], r"π is about 3\.1[34]"),
    "matrix": ([], r"120 by 120 on 2 engines: right"),
    "word_count": (["README.md"], r"(?m)^ +\d+ the$"),
}


def test_every_example_is_run() -> None:
    assert {path.stem for path in (ROOT / "clients/rust/examples").glob("*.rs")} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    arguments, expected = EXPECTED[name]
    command = [str(built(name, *FEATURES.get(name, []))), *arguments]
    with empty_home(tmp_path, monkeypatch, stop=True) as home:
        home.start(2)
        done = subprocess.run(command, env=home.env, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert re.search(expected, done.stdout), done.stdout


@pytest.mark.parametrize("native", [False, True])
def test_pi_is_the_same_in_python_and_in_rust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    arguments = ["--native", "5000"] if native else []
    programs = [str(built("pi"))], [sys.executable, "examples/pi.py"]
    with empty_home(tmp_path, monkeypatch, stop=True) as home:
        home.start(0 if native else 2)
        with native_program(2, home.env) if native else nullcontext():
            said = [
                subprocess.check_output([*program, *arguments], env=home.env, cwd=ROOT, text=True, timeout=90)
                for program in programs
            ]
    values = [re.findall(r"π is about (3\.1[34]\d*)", text) for text in said]
    assert values[0] == values[1] != [], said
    assert ("5000 tasks" in said[0]) is native


def test_values_of_all_types_come_back_from_python_as_they_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [str(built("identity")), "40"]
    with empty_home(tmp_path, monkeypatch, stop=True) as home:
        home.start(2)
        done = subprocess.run(command, env=home.env, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "40 values came back as they went" in done.stdout


def test_named_arguments_and_errors_of_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with empty_home(tmp_path, monkeypatch, stop=True) as home:
        home.start(1)
        done = subprocess.run(
            [str(built("named"))], env=home.env, capture_output=True, text=True, timeout=90, check=False
        )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.splitlines() == [
        "255",
        "[3, 2, 1]",
        "a;b",
        "TypeError: math.sqrt() takes no keyword arguments",
    ]
