"""A home for clusters of the real command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

PARAPLY = Path(sysconfig.get_path("scripts"), "paraply")


def eventually(holds: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """Waits until something is true, and returns it."""
    end = time.monotonic() + seconds
    while not (result := holds()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return result


def leases(seconds: float) -> dict[str, str]:
    """Settings of both services: how long members and engines may be silent."""
    return {f"PARAPLY_{service}_LEASE_MILLIS": str(round(seconds * 1000)) for service in ("CONTROLLER", "SCHEDULER")}


class Home:
    """A home for clusters, and the command run with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("PARAPLY_")}
        self.env |= {"PARAPLY_HOME": str(folder / "home"), "XDG_RUNTIME_DIR": str(folder / "run")}
        (folder / "run").mkdir(mode=0o700)
        self._killed: set[int] = set()

    def run(self, *arguments: str, expect: int = 0, timeout: float = 60) -> str:
        """Runs the command to its end, and returns what it printed, errors too."""
        done = subprocess.run(
            [PARAPLY, *arguments],
            env=self.env,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == expect, done.stdout
        return done.stdout

    def start(self, n: int, *arguments: str) -> None:
        """A cluster in the background."""
        self.run("start", "-n", str(n), "--daemonize", *arguments)

    def start_in_foreground(self, *arguments: str) -> subprocess.Popen[str]:
        """`paraply start`, as at a terminal."""
        return self.popen("start", *arguments)

    def popen(self, *arguments: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """The command, running. Its errors go where its output goes."""
        return subprocess.Popen(
            [PARAPLY, *arguments], env=self.env, cwd=self.folder, stdout=stdout, stderr=subprocess.STDOUT, text=True
        )

    def status(self) -> dict[str, Any]:
        """`paraply status --json` of the default cluster."""
        return json.loads(self.run("status", "--json"))

    def kill_scheduler(self) -> None:
        """Kills the scheduler of the default cluster. The supervisor starts another."""

        def alive() -> int | None:
            scheduler = self.status()["scheduler"]
            # The controller says what it knows, which is the last one for a while.
            return None if scheduler is None or scheduler["pid"] in self._killed else scheduler["pid"]

        pid = eventually(alive, "there is a scheduler")
        self._killed.add(pid)
        os.kill(pid, signal.SIGKILL)

    def wait_for_another_scheduler(self, engines: int) -> None:
        """Waits until there is one that was not killed, with so many engines that take tasks."""

        def back() -> bool:
            status = self.status()
            there = status["scheduler"] is not None and status["scheduler"]["pid"] not in self._killed
            return there and [engine["state"] for engine in status["engines"]] == ["ready"] * engines

        eventually(back, "another scheduler has the engines")

    def record(self, cluster_id: str = "default") -> dict[str, Any]:
        """What was started."""
        return json.loads((self.folder / "home" / "default" / cluster_id / "cluster.json").read_text())

    def log(self, name: str, cluster_id: str = "default") -> str:
        """What a process has logged."""
        return (self.folder / "home" / "default" / cluster_id / "logs" / f"{name}.log").read_text()

    def processes(self) -> list[psutil.Process]:
        """Every process of this home's clusters that is alive."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def wait_until_empty(self) -> None:
        """Waits until nothing is left. A process that has closed all it had may still be on its way out."""
        eventually(lambda: not self.processes(), "every process is gone", seconds=10)

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            ours = process.environ().get("PARAPLY_HOME") == self.env["PARAPLY_HOME"]
            return ours and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@contextmanager
def empty_home(folder: Path, monkeypatch: pytest.MonkeyPatch, stop: bool) -> Iterator[Home]:
    """A home that this process has too. When it is left, no process may be: with `stop`, after all were told to stop."""
    home = Home(folder)
    for name in ("PARAPLY_ADDRESS", "PARAPLY_TOKEN", "PARAPLY_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("PARAPLY_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, home.env[name])
    try:
        yield home
        if stop and home.processes():
            home.run("stop", "--all")
        home.wait_until_empty()
    finally:
        for process in home.processes():
            process.kill()
