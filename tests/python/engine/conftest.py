"""A scripted cluster with one engine, for each test file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import scripted
from scripted import Engine, Scripted


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Scripted]:
    """A cluster without an engine."""
    cluster = Scripted(tmp_path)
    yield cluster
    cluster.server.stop(0).wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripted]:
    """A cluster with an engine that all tests of a file share."""
    cluster = Scripted(tmp_path_factory.mktemp("cluster"))
    engine = cluster.engine = Engine(cluster)
    cluster.hellos.get(timeout=scripted.PATIENCE)
    yield cluster
    print(engine.logged())
    engine.stop()
    cluster.server.stop(0).wait()


@pytest.fixture
def engine(fresh: Scripted) -> Iterator[Engine]:
    """An engine of the test's own, in the cluster `fresh`."""
    started = Engine(fresh)
    fresh.hellos.get(timeout=scripted.PATIENCE)
    yield started
    print(started.logged())
    started.stop()
