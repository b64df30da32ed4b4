"""A project of compose.yaml, by whichever compose there is."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deploy.containers import HARDENED, ROOT, Container, docker, image


@cache
def command() -> tuple[str, ...]:
    """`docker compose`, or the older `docker-compose`."""
    for candidate in (("docker", "compose"), ("docker-compose",)):
        try:
            if subprocess.run([*candidate, "version"], capture_output=True, check=False).returncode == 0:
                return candidate
        except FileNotFoundError:
            continue
    return ()


def config() -> dict[str, Any]:
    """compose.yaml as compose understands it. Fails if it does not."""
    shown = subprocess.run([*command(), "config"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 0, shown.stderr
    return dict(yaml.safe_load(shown.stdout))


def _free_port() -> int:
    """One that no outgoing connection is given, now or before the project has it."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", 20_000 + secrets.randbelow(10_000)))
            return int(probe.getsockname()[1])


@dataclass
class Project:
    """One cluster.

    Args:
        home: Where connection files go.
    """

    home: Path
    name: str = field(default_factory=lambda: f"paraply-{secrets.token_hex(4)}")
    port: int = field(default_factory=_free_port)

    def __call__(self, *arguments: str, timeout: float = 120) -> str:
        """Runs compose."""
        done = subprocess.run(
            [*command(), "--project-name", self.name, *arguments],
            cwd=ROOT,
            env={**os.environ, "PARAPLY_PORT": str(self.port)},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(done.args)}: {done.stderr}\n{done.stdout}"
        return done.stdout

    def up(self, engines: int) -> None:
        """Starts what is missing and stops engines that are too many; returns when all others are healthy."""
        self("up", "--detach", "--no-recreate", "--no-build", "--scale", f"engine={engines}")
        for service in ("controller", "scheduler", "engine"):
            for container in self.containers(service):
                container.wait_until_healthy()

    def containers(self, service: str) -> list[Container]:
        """Those of a service that run."""
        labels = (f"com.docker.compose.project={self.name}", f"com.docker.compose.service={service}")
        filters = [part for label in labels for part in ("--filter", f"label={label}")]
        return [Container(name) for name in docker("ps", "--quiet", "--no-trunc", *filters).split()]

    def connect(self) -> str:
        """What a person types next."""
        return self.command("connect", "--compose", "--project-name", self.name)

    def command(self, *arguments: str, timeout: float = 60) -> str:
        """Runs paraply on this machine; what it prints."""
        program = [str(Path(sys.executable).parent / "paraply"), *arguments]
        done = subprocess.run(
            program, cwd=ROOT, env=self.environment(), capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def environment(self) -> dict[str, str]:
        """Of a program on this machine that knows of this cluster and no other."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PARAPLY_")}
        return {**inherited, "PARAPLY_HOME": str(self.home)}

    def on_host(self, code: str) -> subprocess.Popen[str]:
        """Starts a client on this machine."""
        program = [sys.executable, "-c", code]
        return subprocess.Popen(
            program, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def in_container(self, code: str, admin_token: str = "") -> str:
        """Runs a client in a container, with the credentials of clients; what it prints."""
        options = [
            *HARDENED,
            "--env",
            f"PARAPLY_ADMIN_TOKEN={admin_token}",
            "--network",
            f"{self.name}_default",
            "--volume",
            f"{self.name}_client:/credentials:ro",
        ]
        options += ["--env", "PARAPLY_CONNECTION=/credentials/connection.json", "--entrypoint", "python"]
        return docker("run", "--rm", *options, image("engine"), "-c", code, timeout=120)

    def down(self) -> None:
        """Removes everything, volumes too."""
        self("down", "--volumes", "--timeout", "5")

    def leftovers(self) -> dict[str, list[str]]:
        """What there still is of it."""
        label = f"label=com.docker.compose.project={self.name}"
        lists = {"containers": ("ps", "--all"), "volumes": ("volume", "ls"), "networks": ("network", "ls")}
        return {what: docker(*words, "--quiet", "--filter", label).split() for what, words in lists.items()}
