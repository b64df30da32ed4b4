"""A cluster of several machines that speak plain TCP to each other."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from home import PARAPLY, leases
from namespaces import Network, There
from secured import clean_environment

_CONTROLLER, _SCHEDULER = 7600, 7601


def logs(folder: Path) -> list[str]:
    """The end of each log in a folder."""
    return [f"--- {file.name}\n{file.read_text()[-5000:]}" for file in sorted(folder.glob("*.log"))]


class Machines:
    """Controller and scheduler, engines and clients as they are asked for, each where it is wanted.

    Args:
        lease: Seconds that members and engines may be silent.
        stack: Ends all of them.
    """

    def __init__(
        self, net: Network, folder: Path, stack: ExitStack, *, controller: str, scheduler: str, lease: float
    ) -> None:
        self.net = net
        self.folder = folder
        self._stack = stack
        tokens = {role: secrets.token_hex(32) for role in ("client", "engine")}
        self._env = clean_environment() | leases(lease)
        for role, token in tokens.items():
            for service in ("CONTROLLER", "SCHEDULER"):
                self._env[f"PARAPLY_{service}_{role.upper()}_TOKEN"] = token
        at, way = f"{net.address(controller)}:{_CONTROLLER}", f"{net.address(scheduler)}:{_SCHEDULER}"
        common = ["--cluster-id", "machines"]
        self._start(controller, "controller", str(PARAPLY), "controller", *common, "--listen", at)
        self._start(scheduler, "scheduler", str(PARAPLY), "scheduler", *common, "--controller", at, "--listen", way)
        self._files = {role: self._write_connection(role, token, at) for role, token in tokens.items()}

    def start_engine(self, machine: str, number: int) -> None:
        """An engine of that id."""
        engine = [sys.executable, "-m", "paraply.engine", "--connection", self._files["engine"], "--id", str(number)]
        self._start(machine, f"engine{number}", *engine)

    def connect(self, machine: str, prelude: str, engines: int) -> There:
        """A Python there, in which `rc` is a client that knows so many engines."""
        there = self._stack.enter_context(There(self.net, machine, self._env, self.folder))
        there(prelude)
        there(f"rc = paraply.Client({self._files['client']!r}, timeout=30)")
        there(f"rc.wait_for_engines({engines}, timeout=30)")
        return there

    def _start(self, machine: str, name: str, *command: str) -> None:
        with open(self.folder / f"{name}.log", "w") as log:
            process = subprocess.Popen(
                self.net.command(machine, *command), env=self._env, cwd=self.folder, stdout=log, stderr=log
            )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)

    def _write_connection(self, role: str, token: str, address: str) -> str:
        path = self.folder / f"{role}.json"
        content = {"version": 1, "cluster_id": "machines", "role": role, "profile": "machines", "token": token}
        path.touch(mode=0o600)
        path.write_text(json.dumps({**content, "endpoints": [{"tcp": address}]}))
        return str(path)
