"""Clusters of the real command, each test with a home of its own, after which no process may be left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from home import Home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    if home.processes():
        home.run("stop", "--all")
    try:
        home.wait_until_empty()
    finally:
        for process in home.processes():
            process.kill()
