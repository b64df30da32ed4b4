"""A cluster whose processes are started one by one, each perhaps by another program: a profiler."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.processes import end_everything, environment

#: Seconds for what waits, under callgrind too.
PATIENCE = 120.0
SCRIPTS = Path(sysconfig.get_path("scripts"))
ENGINES = 2
CLUSTER = "profile"

T = TypeVar("T")
Process = subprocess.Popen[str]


@dataclass(frozen=True)
class Services:
    """What runs.

    Args:
        connection: What a client reads.
    """

    connection: Path
    scheduler: Process
    engines: list[Process]


@contextmanager
def services(folder: Path, before_scheduler: list[str], *, engines: int = ENGINES) -> Iterator[Services]:
    """A controller, a scheduler and engines, whose files are in a folder. `before_scheduler` is what runs it."""
    tokens = {role: secrets.token_hex(32) for role in ("client", "engine")}
    settings = {
        f"PARAPLY_{service}_{role.upper()}_TOKEN": token
        for service in ("CONTROLLER", "SCHEDULER")
        for role, token in tokens.items()
    }
    env = environment(**settings)
    sockets = {service: folder / f"{service}.sock" for service in ("controller", "scheduler")}
    started: list[Process] = []

    def start(*command: str) -> Process:
        with open(folder / "log", "a") as log:
            started.append(subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log, text=True))
        return started[-1]

    def service(name: str, *options: str) -> list[str]:
        common = ["--cluster-id", CLUSTER, "--socket", str(sockets[name])]
        return [str(SCRIPTS / "paraply"), name, *common, *options]

    try:
        start(*service("controller"))
        scheduler = start(*before_scheduler, *service("scheduler", "--controller", str(sockets["controller"])))
        files = {role: _connection(folder, role, token, sockets["controller"]) for role, token in tokens.items()}
        for socket in sockets.values():
            until(socket.exists, f"the start of {socket.stem}")
        engine = [sys.executable, "-m", "paraply.engine", "--connection", str(files["engine"])]
        started_engines = [start(*engine) for _ in range(engines)]
        yield Services(files["client"], scheduler, started_engines)
    finally:
        for process in started:
            end_everything(process)


def until(look: Callable[[], T | None], what: str) -> T:
    """Waits until there is something, and returns it. Raises TimeoutError."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what} took more than {PATIENCE:.0f} s")
        time.sleep(0.05)
    return found


def _connection(folder: Path, role: str, token: str, controller: Path) -> Path:
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    endpoints = [{"unix": str(controller), "boot_id": boot_id}]
    content = {"version": 1, "cluster_id": CLUSTER, "role": role, "profile": CLUSTER, "token": token}
    path = folder / f"{role}.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({**content, "endpoints": endpoints}))
    return path
