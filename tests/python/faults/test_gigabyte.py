"""A gigabyte each way: bit for bit, past a scheduler that does not grow, and past another client who works on."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bystander import Bystander
from home import Home
from processes import bounded, memory

import paraply

BYTES = int(os.environ.get("PARAPLY_GIGABYTE", str(1 << 30)))
#: What the scheduler may have beyond what it has when idle.
GROWTH = 64 << 20


@pytest.fixture
def array() -> np.ndarray[Any, Any]:
    """Bytes that do not repeat where chunks begin."""
    return np.random.default_rng(7).integers(0, 256, BYTES, dtype=np.uint8)


@pytest.mark.parametrize("way", ["push and pull", "scatter and gather", "return"])
def test_it_arrives_and_the_scheduler_does_not_grow(
    home: Home, rc: paraply.Client, array: np.ndarray[Any, Any], way: str
) -> None:
    # Whatever is loaded at the first use is loaded.
    small = np.arange(1 << 17)
    rc[:].scatter("small", small, block=True)
    assert (rc[:].gather("small", block=True) == small).all()
    pid = home.status()["scheduler"]["pid"]
    steps: dict[str, Callable[[], Any]] = {
        "push and pull": lambda: push_and_pull(rc, array),
        "scatter and gather": lambda: scatter_and_gather(rc, array),
        "return": lambda: rc[1].apply_async(np.arange, BYTES, dtype=np.uint8).get(timeout=120),
    }
    expected = np.arange(BYTES, dtype=np.uint8) if way == "return" else array
    with bounded(pid, memory(pid) + GROWTH), Bystander([3]):
        arrived = steps[way]()
    assert np.array_equal(arrived, expected)


def push_and_pull(rc: paraply.Client, array: np.ndarray[Any, Any]) -> Any:
    pushed = rc[0].push({"array": array}, block=False)
    pushed.get(timeout=120)
    assert pushed.sent
    return rc[0].pull("array", block=False).get(timeout=120)


def scatter_and_gather(rc: paraply.Client, array: np.ndarray[Any, Any]) -> Any:
    rc[:].scatter("array", array, block=False).get(timeout=120)
    return rc[:].gather("array", block=False).get(timeout=120)
