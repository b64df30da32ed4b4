"""Clusters of the real command, each test with a home of its own, after which no process may be left."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from home import Home, empty_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with empty_home(tmp_path, monkeypatch, stop=True) as home:
        yield home
