"""Controller, scheduler and engines that speak TLS, with the credentials that `paraply credentials` makes."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from home import PARAPLY, eventually
from namespaces import Network

import paraply

#: The machine of both services, where a cluster is on several.
SERVICES = "services"


def clean_environment() -> dict[str, str]:
    """The environment without what names another cluster."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PARAPLY_")}


def make_credentials(folder: Path, *arguments: str) -> str:
    """Runs `paraply credentials`; returns what it printed."""
    command = [PARAPLY, "credentials", folder, "--cluster-id", "lab", *arguments]
    return subprocess.run(command, env=clean_environment(), check=True, capture_output=True, text=True).stdout


class Secured:
    """A cluster called "lab", and the files that it was told of.

    Args:
        mutual: Whether its peers are to show certificates.
        net: Machines to be on: the services on `SERVICES`, an engine on that of its name.
        settings: Variables that services get.
    """

    def __init__(
        self, folder: Path, *, mutual: bool = False, net: Network | None = None, settings: dict[str, str] | None = None
    ) -> None:
        self.folder = folder
        self._net = net
        self._host = net.address(SERVICES) if net else "127.0.0.1"
        self.credentials = folder / "credentials"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.mutual = mutual
        make_credentials(self.credentials, "--host", self._host)
        self.env = clean_environment() | (settings or {})
        self.controller = self._service("controller")
        self.scheduler = self._service("scheduler", "--controller", f"tls:{self.controller}")
        make_credentials(self.credentials, "--endpoint", f"tls:{self.controller}")

    def pid(self, name: str) -> int:
        """The process of "controller", "scheduler", or an engine."""
        return self._processes[name].pid

    def is_running(self, name: str) -> bool:
        """Whether it is."""
        return self._processes[name].poll() is None

    def log(self, name: str) -> str:
        """What it has logged."""
        return (self.folder / f"{name}.log").read_text()

    def _said(self, name: str) -> str:
        """The same without colours; nothing before it was started."""
        path = self.folder / f"{name}.log"
        return re.sub(r"\x1b\[[0-9;]*m", "", path.read_text()) if path.exists() else ""

    def start_engines(self, n: int) -> None:
        """Starts engines, 0 to n - 1."""
        for number in range(n):
            self.start_engine(f"engine{number}", "--id", str(number))

    def start_engine(self, name: str, *arguments: str) -> None:
        """Starts one."""
        if self.mutual:
            pair = self.credentials / "engine"
            arguments += ("--tls-cert-file", f"{pair}/engine.pem", "--tls-key-file", f"{pair}/engine-key.pem")
        connection = str(self.credentials / "engine" / "engine.json")
        self._start(name, sys.executable, "-m", "paraply.engine", "--connection", connection, *arguments)

    def connection(self, role: str = "client") -> dict[str, Any]:
        """The content of a connection file: of "client", "engine" or "admin"."""
        name = "engine.json" if role == "engine" else "connection.json"
        return json.loads((self.credentials / role / name).read_text())

    def client(self, role: str = "client", timeout: float = 30, **changes: Any) -> paraply.Client:
        """A client by the file of that role, or by its content with something else in it."""
        if not changes:
            return paraply.Client(str(self.credentials / role / "connection.json"), timeout=timeout)
        return paraply.Client({**self.connection(role), **changes}, timeout=timeout)

    def replace_token(self, name: str) -> None:
        """Puts another token into the file of that name, and whatever has it in it."""
        path = self.credentials / f"{name}-token"
        path.write_text(secrets.token_hex(32))
        make_credentials(self.credentials, "--endpoint", f"tls:{self.controller}")

    def stop(self) -> None:
        """Ends all that runs."""
        for process in reversed(self._processes.values()):
            process.kill()
        for process in self._processes.values():
            process.wait()

    def kill(self, name: str) -> None:
        """Ends one."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def start_waiting(self, name: str, address: str) -> None:
        """Starts a service that waits for its files."""
        self._start_service(name, "--wait", listen=address)

    def _start_service(self, name: str, *arguments: str, listen: str) -> None:
        made = self.credentials
        files = {
            "tls-cert-file": "server.pem",
            "tls-key-file": "server-key.pem",
            "tls-ca-file": "ca.pem",
            "client-token-file": "client-token",
            "engine-token-file": "engine-token",
            "admin-token-file": "admin-token",
            "ticket-key-file": "ticket-key",
        }
        if self.mutual:
            files["tls-client-ca-file"] = "ca.pem"
        flags = [part for flag, file in files.items() for part in (f"--{flag}", str(made / file))]
        self._start(name, str(PARAPLY), name, "--cluster-id", "lab", "--listen", listen, *flags, *arguments)

    def _service(self, name: str, *arguments: str, listen: str = "") -> str:
        """Starts a service; returns where it listens."""
        before = len(self._said(name))
        self._start_service(name, *arguments, listen=listen or f"{self._host}:0")

        def address() -> str | None:
            assert self.is_running(name), self.log(name)
            found = re.search(r'is up .*address: "([^"]+)"', self._said(name)[before:])
            return found and found[1]

        return eventually(address, f"the {name} listens")

    def restart(self, name: str, address: str, *arguments: str) -> None:
        """Kills a service and starts it again at the same address."""
        self.kill(name)
        self._service(name, *arguments, listen=address)

    def _start(self, name: str, *command: str) -> None:
        if self._net is not None:
            command = tuple(self._net.command(SERVICES if name in ("controller", "scheduler") else name, *command))
        with open(self.folder / f"{name}.log", "a") as log:
            self._processes[name] = subprocess.Popen(
                command, env=self.env, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT
            )


@contextmanager
def secured(
    folder: Path, *, mutual: bool = False, net: Network | None = None, settings: dict[str, str] | None = None
) -> Iterator[Secured]:
    """A cluster without engines. When a test fails, its logs are shown."""
    cluster = Secured(folder, mutual=mutual, net=net, settings=settings)
    try:
        yield cluster
    finally:
        cluster.stop()
        for log in sorted(folder.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text()[-4000:]}")
