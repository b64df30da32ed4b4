"""A cluster in containers that share one network namespace, as those of a pod do: services listen on its loopback device."""

from __future__ import annotations

import io
import json
import secrets
import tarfile
from dataclasses import dataclass, field

from deploy.containers import HARDENED, Container, Containers, docker, image

CONTROLLER = "127.0.0.1:7600"
#: Ports of the admin listeners.
ADMIN = {"controller": 9600, "scheduler": 9601}


@dataclass
class Pod:
    """Controller, scheduler, and engines as they are asked for."""

    containers: Containers
    client_token: str = field(default_factory=lambda: secrets.token_hex(16))
    engine_token: str = field(default_factory=lambda: secrets.token_hex(16))
    controller: Container = field(init=False)
    scheduler: Container = field(init=False)
    engines: list[Container] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.controller = self._service("controller", "--listen", CONTROLLER)
        self.scheduler = self._service("scheduler", "--listen", "127.0.0.1:7601", "--controller", CONTROLLER)

    def _service(self, role: str, *arguments: str) -> Container:
        environment = [f"PARAPLY_{role.upper()}_CLIENT_TOKEN={self.client_token}"]
        environment.append(f"PARAPLY_{role.upper()}_ENGINE_TOKEN={self.engine_token}")
        options = [*HARDENED, *(part for setting in environment for part in ("--env", setting))]
        if role != "controller":
            options += ["--network", f"container:{self.controller.id}"]
        admin = f"127.0.0.1:{ADMIN[role]}"
        arguments = ("--cluster-id", "pod", "--admin", admin, *arguments)
        service = self.containers.start(image(role), *arguments, options=tuple(options))
        service.wait_until("/paraply", "health", admin)
        return service

    def add_engine(self, *arguments: str) -> Container:
        """Starts one and waits until it is attached."""
        admin = f"127.0.0.1:{9610 + len(self.engines)}"
        options = (
            *HARDENED,
            "--network",
            f"container:{self.controller.id}",
            "--volume",
            f"{self._credentials()}:/credentials",
        )
        command = ("--connection", "/credentials/engine.json", "--admin", admin, *arguments)
        engine = self.containers.start(image("engine"), *command, options=options)
        self.engines.append(engine)
        engine.wait_until("paraply", "health", admin)
        return engine

    def _credentials(self) -> str:
        """A volume with the file that engines connect with."""
        content = json.dumps(
            {
                "version": 1,
                "cluster_id": "pod",
                "role": "engine",
                "profile": "default",
                "endpoints": [{"tcp": CONTROLLER}],
                "token": self.engine_token,
            }
        ).encode()
        volume = docker("volume", "create", "--label", "paraply-test")
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            entry = tarfile.TarInfo("engine.json")
            entry.size, entry.mode, entry.uid, entry.gid = len(content), 0o600, 65532, 65532
            tar.addfile(entry, io.BytesIO(content))
        holder = docker("create", "--volume", f"{volume}:/credentials", image("engine"))
        docker("cp", "-", f"{holder}:/credentials", given=archive.getvalue())
        docker("rm", holder)
        self.containers.volumes.append(volume)
        return volume

    def client(self, code: str) -> Container:
        """Starts a client of the cluster that runs some Python."""
        options = (*HARDENED, "--network", f"container:{self.controller.id}", "--entrypoint", "python")
        environment = ("--env", f"PARAPLY_ADDRESS={CONTROLLER}", "--env", f"PARAPLY_TOKEN={self.client_token}")
        return self.containers.start(image("engine"), "-c", code, options=(*options, *environment))
