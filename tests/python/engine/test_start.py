"""An engine that cannot start says why, where whoever started it can read it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def start(scripted: Any, *before: str) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-m", "paraply.engine", "--connection", str(scripted.connection)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_a_malformed_log_filter(fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAPLY_LOG", "paraply=loud=very")
    ended = start(fresh)
    assert ended.returncode == 1 and "paraply=loud=very" in ended.stderr and "log filter" in ended.stderr


@pytest.mark.parametrize("descriptors", [7, 9, 11])
def test_too_few_descriptors(fresh: Any, descriptors: int) -> None:
    # By a shell: a fork of this process that is short of them would die of grpcio.
    ended = start(fresh, "sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh")
    assert ended.returncode == 1 and "Too many open files" in ended.stderr


def test_a_part_that_cannot_be_imported(fresh: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['paraply_engine._runner'] = None")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ended = start(fresh)
    assert ended.returncode == 1 and "paraply_engine._runner" in ended.stderr and "Traceback" in ended.stderr
