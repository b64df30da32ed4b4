"""Clusters of the real command, each test with a home of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from home import Home, empty_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with empty_home(tmp_path, monkeypatch, stop=True) as home:
        yield home
