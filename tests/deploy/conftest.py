"""What the tests here share. Those that need a Docker engine say so by asking for `containers`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from deploy.containers import Containers, DockerError, answers, docker, image


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine with the images. Without one a test is skipped, but not where every test is to run."""
    if not answers():
        missing = "no Docker engine answers (docker version)"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    for target in ("controller", "scheduler", "engine"):
        try:
            docker("image", "inspect", image(target))
        except DockerError:
            pytest.fail(f"there is no image {image(target)}: `make images` builds it")


@pytest.fixture
def containers(engine: None) -> Iterator[Containers]:
    """Containers that are gone after the test."""
    containers = Containers()
    try:
        yield containers
    finally:
        containers.remove()
