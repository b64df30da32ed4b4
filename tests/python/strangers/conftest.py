"""Strangers: clients that know an address and a token, by the controller and by the scheduler."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from home import Home, empty_home
from stranger_example import stranger as make


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with empty_home(tmp_path, monkeypatch, stop=True) as home:
        yield home


@pytest.fixture(scope="session")
def known(cluster: Any) -> tuple[str, str]:
    """All that a stranger knows: the controller's address, and the client token."""
    (file,) = Path(os.environ["PARAPLY_HOME"]).glob("default/*/connection.json")
    connection = json.loads(file.read_text())
    return next(each["tcp"] for each in connection["endpoints"] if "tcp" in each), connection["token"]


@pytest.fixture(params=["controller", "scheduler"])
def stranger(known: tuple[str, str], request: pytest.FixtureRequest, rc: Any) -> Iterator[Any]:
    """The example's client, whichever service it has the address of. Namespaces are empty."""
    address, token = known
    if request.param == "scheduler":
        info = make(address, token, "paraply.controller.v1.ClusterService").call("GetClusterInfo").result()
        address = next(each["tcp"] for each in info["scheduler_endpoints"] if "tcp" in each)
    made = make(address, token)
    with made.channel:
        yield made
