"""One cluster of four engines for the tests of the client; each test begins with empty namespaces."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

import paraply

# A shell starts what it puts into the background with SIGINT ignored, and so would everything that the tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running cluster, the default one of the default profile."""
    home = tmp_path_factory.mktemp("home")
    before = dict(os.environ)
    os.environ["PARAPLY_HOME"] = str(home)
    for name in ("PARAPLY_ADDRESS", "PARAPLY_TOKEN", "PARAPLY_CONNECTION"):
        os.environ.pop(name, None)
    try:
        with paraply.Cluster(n=4) as client:
            yield client.cluster
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def rc(cluster: Any) -> Iterator[paraply.Client]:
    """A client of its own for each test."""
    with paraply.Client() as client:
        client.wait_for_engines(4, timeout=30)
        client[:].clear(block=True)
        yield client


@pytest.fixture
def dview(rc: paraply.Client) -> Any:
    """A view on all four engines."""
    return rc[:]


@pytest.fixture
def lview(rc: paraply.Client) -> Any:
    """A balanced view."""
    return rc.load_balanced_view()
