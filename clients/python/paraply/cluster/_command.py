"""Finding the `paraply` command and starting a cluster's supervisor with it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

#: Supervisors that this process started.
_started: weakref.WeakSet[Supervisor] = weakref.WeakSet()


def find_command() -> str:
    """The `paraply` command of this Python's environment, else the one on the PATH."""
    for folder in (Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))):
        if (command := folder / "paraply").is_file():
            return str(command)
    if command_on_path := shutil.which("paraply"):
        return command_on_path
    raise FileNotFoundError('the `paraply` command is not installed: pip install "paraply[local]"')


def scale(n: int, connection: Path) -> None:
    """Has the command launch engines, or end them, for a cluster of containers. Raises RuntimeError if it cannot."""
    arguments = [find_command(), "scale", str(n), "--no-wait", "--connection", str(connection)]
    done = subprocess.run(arguments, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"`paraply scale` ended with exit status {done.returncode}")


@dataclass(eq=False)
class Supervisor:
    """A supervisor that this process started, and what it says of its start."""

    process: subprocess.Popen[bytes]
    #: Closed, it ends the cluster. None where the cluster is to outlive this process.
    lifeline: int | None
    #: What the supervisor says.
    _words: IO[bytes]
    folder: Path = field(default_factory=Path)
    control: Path = field(default_factory=Path)
    #: The engine set of the start.
    engine_set: str | None = None
    #: Why there is no cluster.
    failure: str | None = None
    _listener: threading.Thread | None = None
    _told_on_failure: Callable[[], None] | None = None

    @classmethod
    def start(cls, arguments: list[str], *, env: dict[str, str], outlive: bool) -> Supervisor:
        """Starts a cluster and returns when it can be connected to. Raises RuntimeError with the reason if it cannot."""
        words, ready = os.pipe()
        inherited = [ready]
        lifeline = parent = None
        if not outlive:
            parent, lifeline = os.pipe()
            inherited.append(parent)
            arguments = [*arguments, "--parent-fd", str(parent)]
        try:
            process = subprocess.Popen(
                [find_command(), "start", *arguments, "--ready-fd", str(ready)],
                pass_fds=inherited,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=env,
                # Ctrl-C at the terminal is for this program, not for its cluster.
                start_new_session=True,
            )
        except BaseException:
            for descriptor in (words, lifeline):
                if descriptor is not None:
                    os.close(descriptor)
            raise
        finally:
            for descriptor in inherited:
                os.close(descriptor)
        supervisor = cls(process, lifeline, os.fdopen(words, "rb"))
        _started.add(supervisor)
        supervisor._await_start()
        return supervisor

    def _await_start(self) -> None:
        said = self._next()
        if said.get("event") != "starting":
            self.end()
            raise RuntimeError(self.failure)
        self.folder = Path(said["folder"])
        self.control = Path(said["control"])
        self.engine_set = said["engine_set"]
        self._listener = threading.Thread(target=self._listen, name="paraply-cluster-start", daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        if self._next().get("event") != "ready" and self._told_on_failure is not None:
            self._told_on_failure()

    def _next(self) -> dict[str, Any]:
        if not (line := self._words.readline()):
            self.process.wait()
            complaint = self.process.stderr.read().decode(errors="replace").strip() if self.process.stderr else ""
            self.failure = complaint or f"`paraply start` ended with exit status {self.process.returncode}"
            return {}
        said: dict[str, Any] = json.loads(line)
        if said["event"] == "failed":
            self.failure = said["message"]
        return said

    def on_failure(self, tell: Callable[[], None]) -> None:
        """Has `tell` called, perhaps on another thread and perhaps twice, if the start fails or has failed."""
        self._told_on_failure = tell
        if self.failure is not None:
            tell()

    def wait(self, seconds: float) -> str | None:
        """Waits until every engine has joined or the start has failed. Returns why it failed, if it did."""
        if self._listener is not None:
            self._listener.join(seconds)
        return self.failure

    def end(self, patience: float = 0.0) -> None:
        """Makes sure that the supervisor is gone, and with it the cluster. Waits so many seconds before it kills."""
        self.let_go()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # With the process its ends of the pipes are gone, and a listener has heard all there was.
        if self._listener is not None:
            self._listener.join()
        self._words.close()
        if self.process.stderr:
            self.process.stderr.close()

    def let_go(self) -> None:
        """Closes this end of the pipe that keeps the cluster."""
        if (lifeline := self.lifeline) is not None:
            self.lifeline = None
            os.close(lifeline)


def _let_go_in_child() -> None:
    for supervisor in _started:
        supervisor.let_go()


# A forked child that held the other end too would keep the cluster when this process is gone.
os.register_at_fork(after_in_child=_let_go_in_child)
