"""What one client may learn of another's tasks."""

from __future__ import annotations

import time
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


def test_results_by_name(rc: paraply.Client, other: paraply.Client) -> None:
    running = rc[0].apply_async(time.sleep, 0.5)
    behind = rc[0].apply_async(lambda: "b" * 1000)
    failing = rc[1].apply_async(lambda: 1 / 0)
    asked = other.get_result([*running.msg_ids, *behind.msg_ids])
    assert behind.get(timeout=30) == "b" * 1000
    assert asked.get(timeout=30) == [None, "b" * 1000]
    assert failing.exception(timeout=30) is not None
    with pytest.raises(RemoteError, match="ZeroDivisionError"):
        other.get_result(failing.msg_ids[0]).get(timeout=30)


def test_names_of_nothing(other: paraply.Client) -> None:
    with pytest.raises(RemoteError, match="No such message"):
        other.get_result("0" * 32 + "_7").get(timeout=30)
    with pytest.raises(ValueError, match="is not the message id of a task"):
        other.get_result("nonsense")
