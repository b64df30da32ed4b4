from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_client import INFO
from fake_scheduler import FakeScheduler
from notebook import Notebook

from paraply.client.client import Client


@pytest.fixture
def notebook() -> Notebook:
    """An empty notebook over an engine with an empty namespace."""
    return Notebook()


@pytest.fixture
def scheduler() -> FakeScheduler:
    """A scheduler without a network."""
    return FakeScheduler()


@pytest.fixture
def rc(scheduler: FakeScheduler) -> Iterator[Client]:
    """A client of that scheduler."""
    with Client(INFO, transport=scheduler.transport) as client:
        yield client
