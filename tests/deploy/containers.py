"""Docker, by the command that a person would type."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: What every container here runs with, as compose.yaml and the manifests have it.
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp")
#: The user of every image.
USER = "65532:65532"


class DockerError(Exception):
    """A command that failed, with what it said."""


def docker(*arguments: str, given: bytes | None = None, timeout: float = 60) -> str:
    """Runs a docker command and returns what it prints. Raises DockerError."""
    done = subprocess.run(["docker", *arguments], input=given, capture_output=True, timeout=timeout, check=False)
    if done.returncode:
        raise DockerError(f"docker {' '.join(arguments)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace").strip()


def answers() -> bool:
    """Whether a Docker engine does."""
    try:
        docker("version", timeout=20)
    except (DockerError, OSError, subprocess.TimeoutExpired):
        return False
    return True


def version() -> str:
    """Of the project, and with it of its images."""
    text = (ROOT / "Cargo.toml").read_text()
    return next(line.split('"')[1] for line in text.splitlines() if line.startswith("version = "))


def image(target: str) -> str:
    """The image of a target of docker/Dockerfile."""
    return f"paraply-{target}:{version()}"


def inspect(what: str) -> dict[str, Any]:
    """What Docker knows of an image or a container."""
    (known,) = json.loads(docker("inspect", what))
    return dict(known)


@dataclass
class Container:
    """A container that runs, or did."""

    id: str

    @classmethod
    def start(cls, image: str, *arguments: str, options: tuple[str, ...] = ()) -> Container:
        """Starts one in the background."""
        return cls(docker("run", "--detach", *options, image, *arguments))

    @property
    def state(self) -> dict[str, Any]:
        """Whether it runs, and how it ended."""
        return dict(inspect(self.id)["State"])

    def logs(self) -> str:
        """What it wrote, of both streams."""
        done = subprocess.run(["docker", "logs", self.id], capture_output=True, timeout=60, check=False)
        return (done.stdout + done.stderr).decode(errors="replace")

    def run(self, *command: str, timeout: float = 60) -> str:
        """Runs a command in it."""
        return docker("exec", self.id, *command, timeout=timeout)

    def wait_until(self, *command: str, seconds: float = 30) -> None:
        """Until a command in it succeeds."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.run(*command)
                return
            except DockerError as error:
                if time.monotonic() > end or not self.state["Running"]:
                    raise AssertionError(f"{error}\n{self.logs()}") from None
            time.sleep(0.2)

    def wait_until_healthy(self, seconds: float = 60) -> None:
        """Until its health check says so."""
        end = time.monotonic() + seconds
        while (state := self.state)["Health"]["Status"] != "healthy":
            assert time.monotonic() < end and state["Running"], f"{state}\n{self.logs()}"
            time.sleep(0.2)

    def wait_for_log(self, text: str, seconds: float = 30) -> None:
        """Until it has written some text."""
        end = time.monotonic() + seconds
        while text not in (logs := self.logs()):
            assert time.monotonic() < end and self.state["Running"], logs
            time.sleep(0.2)

    def terminate(self, patience: float) -> tuple[int, float]:
        """Sends SIGTERM; the exit status and the seconds it took. One that does not end is killed and fails the test."""
        begun = time.monotonic()
        docker("kill", "--signal", "TERM", self.id)
        try:
            status = int(docker("wait", self.id, timeout=patience))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running {patience} s after SIGTERM\n{self.logs()}") from None
        return status, time.monotonic() - begun

    def ends(self, patience: float) -> str:
        """Waits for its end, which is to be a good one; what it wrote."""
        try:
            status = int(docker("wait", self.id, timeout=patience))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {patience} s\n{self.logs()}") from None
        assert status == 0, self.logs()
        return self.logs()

    def remove(self) -> None:
        """Kills and removes it, and the volumes that have no name."""
        docker("rm", "--force", "--volumes", self.id)


@dataclass
class Containers:
    """Starts containers, and removes all of them in the end, with volumes that were made for them."""

    started: list[Container] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)

    def start(self, image: str, *arguments: str, options: tuple[str, ...] = ()) -> Container:
        """Starts one in the background."""
        self.started.append(Container.start(image, *arguments, options=options))
        return self.started[-1]

    def remove(self) -> None:
        """The last first: the others may share its network."""
        while self.started:
            self.started.pop().remove()
        while self.volumes:
            docker("volume", "rm", self.volumes.pop())
