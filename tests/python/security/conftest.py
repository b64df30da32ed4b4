"""A cluster over TLS, with its own authority and three tokens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from secured import Secured, secured


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that tell clients of a cluster."""
    for name in ("ADDRESS", "TOKEN", "ADMIN_TOKEN", "CONNECTION", "CA", "CERT", "KEY", "SERVER_NAME"):
        monkeypatch.delenv(f"PARAPLY_{name}", raising=False)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Two engines. Each test leaves it as it was."""
    with secured(tmp_path_factory.mktemp("secured")) as lab:
        lab.start_engines(2)
        yield lab


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """One engine; everybody shows a certificate."""
    with secured(tmp_path_factory.mktemp("mutual"), mutual=True) as lab:
        lab.start_engines(1)
        yield lab
