"""compose.yaml, as compose understands it."""

from __future__ import annotations

import os
from typing import Any

import pytest

from deploy import compose
from deploy.containers import ROOT, version


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    if not compose.command():
        if os.environ.get("CI") == "true":
            pytest.fail("neither `docker compose` nor `docker-compose` works")
        pytest.skip("neither `docker compose` nor `docker-compose` works")
    return dict(compose.config()["services"])


def test_one_port_is_published_and_only_for_this_machine(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if service.get("ports")}
    assert list(published) == ["controller"]
    (port,) = published["controller"]
    if isinstance(port, dict):
        port = f"{port['host_ip']}:{port['published']}:{port['target']}"
    assert port.removesuffix("/tcp") == "127.0.0.1:7600:7600"


def volumes(service: dict[str, Any]) -> dict[str, str]:
    """Sources of the volumes of a service, and whether it may write there."""
    found = {}
    for volume in service["volumes"]:
        if isinstance(volume, dict):
            found[volume["source"]] = "ro" if volume.get("read_only") else "rw"
        else:
            source, _, mode = volume.split(":")
            found[source] = mode
    return found


def test_engines_see_no_credentials_but_their_own(services: dict[str, Any]) -> None:
    assert volumes(services["engine"]) == {"engine": "ro"}
    assert volumes(services["scheduler"]) == {"services": "ro", "scheduler-state": "rw"}


@pytest.mark.parametrize("name", ["credentials", "controller", "scheduler", "engine"])
def test_every_service_is_hardened_and_its_image_has_the_version(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    target = "controller" if name == "credentials" else name
    assert service["image"] == f"paraply-{target}:{version()}"
    assert service["build"]["target"] == target
    assert f"AS {target}\n" in (ROOT / "docker/Dockerfile").read_text()


def test_the_drain_ends_before_the_grace(services: dict[str, Any]) -> None:
    command = services["engine"]["command"]
    grace = float(command[command.index("--stop-grace") + 1])
    assert services["engine"]["stop_grace_period"] == f"{grace + 5:.0f}s"
