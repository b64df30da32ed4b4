"""What one client may learn of another's tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import paraply
from paraply.error import RemoteError


@pytest.fixture
def other(cluster: Any) -> Iterator[paraply.Client]:
    """A second client of the cluster."""
    with cluster.connect_client_sync() as client:
        client.wait_for_engines(timeout=30)
        yield client


def test_names_of_nothing(other: paraply.Client) -> None:
    with pytest.raises(RemoteError, match="No such message"):
        other.get_result("0" * 32 + "_7").get(timeout=30)
    with pytest.raises(ValueError, match="is not the message id of a task"):
        other.get_result("nonsense")
