"""Clusters of two engines whose processes have OpenTelemetry's variables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from home import Home, empty_home
from traced import Started


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Started:
    """Starts a cluster with these variables."""

    @contextmanager
    def start(**variables: str) -> Iterator[Home]:
        with pytest.MonkeyPatch.context() as patch:
            folder = tmp_path_factory.mktemp("traces")
            with empty_home(folder, patch, stop=True) as home:
                home.env = {name: value for name, value in home.env.items() if not name.startswith("OTEL_")}
                home.env |= variables
                home.start(2)
                yield home

    return start
