"""A cluster of `paraply start` for each test, whose processes are there to be killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from home import Home, empty_home

import paraply


@pytest.fixture
def settings() -> dict[str, str]:
    """Settings of the services, as environment variables. A module with other ones has a fixture of this name."""
    return {}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> Iterator[Home]:
    with empty_home(tmp_path, monkeypatch, stop=True) as home:
        home.env |= settings
        home.start(4)
        yield home


@pytest.fixture
def rc(home: Home) -> Iterator[paraply.Client]:
    """A client that knows all four engines."""
    with paraply.Client() as client:
        client.wait_for_engines(4, timeout=30)
        yield client
