"""Programs that Rust crates have as examples."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]


def built(name: str) -> Path:
    """The program, built with the workspace's features, as `make test` has done already."""
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    build = ["cargo", "build", "--locked", "--quiet", "--profile", "ci", "--workspace", "--example", name]
    subprocess.run(build, cwd=ROOT, check=True, env={**os.environ, "CARGO_TARGET_DIR": target})
    return Path(target) / "ci" / "examples" / name
