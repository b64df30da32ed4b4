"""docs/deploy.md, word for word: its commands are run as they are written, and what they do is looked at.

Substituted is only what cannot be otherwise: `pip install` and `make images`, which have been done here; the project's name,
of which a machine has one; and `docker-compose` where there is no `docker compose`, as the page says itself.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from deploy import compose
from deploy.compose import Project
from deploy.containers import ROOT
from deploy.documented import Section

PAGE = ROOT / "docs/deploy.md"
#: Seconds that a command may take to do what it is for.
PATIENCE = 120


class Machine:
    """Somebody's machine, by what its shells are started with.

    Args:
        home: `PARAPLY_HOME` there.
        enter: Begins each command.
        variables: More of the environment.
    """

    def __init__(self, home: Path, enter: tuple[str, ...] = (), **variables: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PARAPLY_")}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environment = {**inherited, "PATH": path, "PARAPLY_HOME": str(home), **variables}
        self._enter = enter

    def run(self, command: str, folder: Path) -> str:
        """Types a command and waits for its end, which is to be a good one; what it printed."""
        done = subprocess.run(
            [*self._enter, "bash", "-c", f"cd {shlex.quote(str(folder))} && {command}"],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    @contextmanager
    def running(
        self, command: str, folder: Path, until: str, end_with: signal.Signals = signal.SIGINT
    ) -> Iterator[None]:
        """Types a command that stays, waits until it has printed some text, and ends it, with Ctrl-C."""
        log = folder / f"said-{secrets.token_hex(4)}"
        with log.open("w") as file:
            process = subprocess.Popen(
                [*self._enter, "bash", "-c", f"cd {shlex.quote(str(folder))} && {command}"],
                env=self._environment,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        try:
            end = time.monotonic() + PATIENCE
            while until not in log.read_text():
                assert time.monotonic() < end and process.poll() is None, f"{command}\n{log.read_text()}"
                time.sleep(0.05)
            yield
            os.killpg(process.pid, end_with)
            process.wait(PATIENCE / 4)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            print(f"--- {command}\n{log.read_text()}")


def test_your_own_machine(tmp_path: Path) -> None:
    install, start = Section(PAGE, "Your own machine").commands(0)
    assert install.startswith("pip install "), "which was done here"
    machine = Machine(tmp_path / "home")
    with machine.running(start, tmp_path, until="Ready, with 4 engines."):
        said = machine.run(
            """python -c 'import paraply; print(paraply.Client()[:].apply_sync(lambda: 6 * 7))'""", tmp_path
        )
    assert said == "[42, 42, 42, 42]\n"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Machine]:
    """A machine of that name, whose ports are all free: a network of its own, and another /etc/hosts."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost lab.example\n")
    prepare = f"mount --bind {hosts} /etc/hosts && ip link set lo up && echo ready && exec cat"
    holder = subprocess.Popen(
        ["bash", "-c", f"exec unshare --net --mount bash -c {shlex.quote(prepare)}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    if holder.stdout.readline() != "ready\n":
        _, why = holder.communicate()
        assert os.environ.get("CI") != "true", why
        pytest.skip(f"no machine can be made here: {why}")
    try:
        yield Machine(tmp_path / "home", ("nsenter", "--target", str(holder.pid), "--net", "--mount"))
    finally:
        holder.communicate()


def test_services_on_machines_of_your_own(lab: Machine, tmp_path: Path) -> None:
    section = Section(PAGE, "Services on machines of your own")
    here, engine, person = (tmp_path / name for name in ("lab.example", "engine's", "person's"))
    for folder in (here, engine, person):
        folder.mkdir()
    (credentials,) = section.commands(0)
    said = lab.run(credentials, here)
    assert "creds" in said
    with ExitStack() as stack:
        for command in section.commands(1):
            service = command.split()[1]
            stack.enter_context(lab.running(command, here, until=f"{service} is up"))
        shutil.copytree(here / "creds/engine", engine / "engine")
        shutil.copytree(here / "creds/client", person / "client")
        start = section.inline("python -m paraply.engine")
        # Ctrl-C is for what it runs.
        stack.enter_context(lab.running(start, engine, until="registered", end_with=signal.SIGTERM))
        client = section.inline("Client(")
        call = (
            f"from paraply import Client; rc = {client}; rc.wait_for_engines(1); print(rc[:].apply_sync(lambda: 6 * 7))"
        )
        assert lab.run(f"python -c '{call}'", person) == "[42]\n"


def test_behind_an_ingress(tmp_path: Path) -> None:
    (credentials,) = Section(PAGE, "Behind an ingress").commands(0)
    Machine(tmp_path / "home").run(credentials, tmp_path)
    assert '"tls": "paraply.example:443"' in (tmp_path / "creds/client/connection.json").read_text()


@pytest.mark.timeout(400)
def test_compose(engine: None, tmp_path: Path) -> None:
    if not compose.command():
        pytest.skip("neither `docker compose` nor `docker-compose` works")
    section = Section(PAGE, "Compose")
    images, up, connect, call, scale, down = section.commands(0)
    assert images == "make images", "which was done here"
    project = Project(tmp_path / "home")
    variables = {"COMPOSE_PROJECT_NAME": project.name, "PARAPLY_PORT": str(project.port)}
    machine = Machine(project.home, **variables)

    def run(command: str) -> str:
        ours = command.replace("paraply_", f"{project.name}_").replace("docker compose", " ".join(compose.command()))
        return machine.run(ours, ROOT)

    try:
        run(up)
        assert str(project.home / "default/compose/connection.json") in run(connect)
        assert run(call) == "[42, 42, 42, 42]\n"
        run(scale)
        assert len(project.containers("engine")) == 8
        assert run(section.blocks[1]).startswith("[42, 42")
        run(down)
        assert project.leftovers()["containers"] == []
        assert project.leftovers()["volumes"] != []
    finally:
        project.down()
