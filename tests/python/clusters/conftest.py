"""Clusters started from Python, each test with a home of its own, after which no process may be left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from home import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    home = Home(tmp_path)
    for name in ("PARAPLY_ADDRESS", "PARAPLY_TOKEN", "PARAPLY_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("PARAPLY_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, home.env[name])
    yield home
    try:
        home.wait_until_empty()
    finally:
        for process in home.processes():
            process.kill()
