"""Programs that Rust crates have as examples."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]


def built(name: str, *features: str) -> Path:
    """The example, built with the workspace's features and these, as `make test` has done already."""
    return _build("--example", name, *(f"--features={each}" for each in features)) / "examples" / name


def built_program(name: str) -> Path:
    """The same of a program."""
    return _build("--bin", name) / name


def _build(*what: str) -> Path:
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    build = ["cargo", "build", "--locked", "--quiet", "--profile", "ci", "--workspace", *what]
    subprocess.run(build, cwd=ROOT, check=True, env={**os.environ, "CARGO_TARGET_DIR": target})
    return Path(target, "ci")


@contextmanager
def native_program(engines: int, env: Mapping[str, str]) -> Iterator[None]:
    """Native engines, on their way. They have to end well when they are told to."""
    with subprocess.Popen([str(built("native")), str(engines)], env=env) as process:
        try:
            yield
        finally:
            process.terminate()
            assert process.wait(30) == 0
