"""What is in the images, and what Docker is told about them."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile

import pytest

from deploy.containers import HARDENED, ROOT, USER, Containers, docker, image, inspect, version

TARGETS = ("controller", "scheduler", "engine")
SERVICES = ("controller", "scheduler")


@pytest.mark.parametrize("target", TARGETS)
def test_it_runs_its_program_directly_and_as_nobody(engine: None, target: str) -> None:
    config = inspect(image(target))["Config"]
    assert config["User"] == USER
    program = {"engine": ["python", "-m", "paraply.engine"]}.get(target, ["/paraply", target])
    assert config["Entrypoint"] == program, "a list: no shell between Docker and the program"


@pytest.mark.parametrize("target", SERVICES)
def test_a_service_is_small(engine: None, target: str) -> None:
    assert inspect(image(target))["Size"] < 40_000_000


@pytest.mark.parametrize("target", SERVICES)
def test_a_service_has_what_it_needs_and_nothing_else(containers: Containers, target: str) -> None:
    created = docker("create", *HARDENED, image(target))
    try:
        exported = subprocess.run(["docker", "export", created], capture_output=True, check=True, timeout=60).stdout
    finally:
        docker("rm", created)
    with tarfile.open(fileobj=io.BytesIO(exported)) as tar:
        files = {f"/{member.name}" for member in tar if member.isfile() and member.size}
        owned = {f"/{member.name}" for member in tar if member.uid == 65532}
    libraries = {name for name in files if re.fullmatch(r"/lib(64)?/(.*/)?(ld-linux[^/]*|lib[a-z_]+)\.so\.\d+", name)}
    assert libraries
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    assert files - libraries == {"/paraply", "/etc/passwd", "/etc/nsswitch.conf", certificates}
    folders = {f"/credentials/{whose}" for whose in ("engine", "client", "admin")}
    assert owned == {"/credentials", *folders, "/var/lib/paraply", "/var/lib/paraply/store"}


@pytest.mark.parametrize("target", SERVICES)
def test_a_service_says_its_version(engine: None, target: str) -> None:
    said = docker("run", "--rm", *HARDENED, "--entrypoint", "/paraply", image(target), "--version")
    assert said == f"paraply {version()}"


def test_an_engine_has_the_packages_that_it_promises(engine: None) -> None:
    assert docker("run", "--rm", *HARDENED, image("engine"), "--version") == f"paraply-engine {version()}"
    code = "import IPython, numpy, paraply; print(numpy.__version__, IPython.__version__, paraply.__version__)"
    said = docker("run", "--rm", *HARDENED, "--entrypoint", "python", image("engine"), "-c", code).split()
    wanted = dict(re.findall(r"^(\w+)==(\S+)$", (ROOT / "docker/requirements.txt").read_text(), re.MULTILINE))
    assert said == [wanted["numpy"], wanted["ipython"], version()]


def test_an_engine_without_its_file_waits_says_so_and_ends_when_told(containers: Containers) -> None:
    arguments = ("--connection", "/credentials/engine.json", "--wait")
    waiting = containers.start(image("engine"), *arguments, options=HARDENED)
    waiting.wait_for_log("waiting for the connection file /credentials/engine.json")
    status, took = waiting.terminate(10)
    assert (status, took < 9) == (0, True), took


@pytest.mark.timeout(300)
def test_two_lines_add_a_package(engine: None) -> None:
    """Those that docker/README.md gives."""
    lines = re.search(r"```dockerfile\n(.*?)```", (ROOT / "docker/README.md").read_text(), re.DOTALL)
    assert lines is not None
    text = lines[1]
    assert len(text.splitlines()) == 2
    package = text.split()[-1]
    built = docker("build", "--quiet", "-", given=text.encode(), timeout=240)
    try:
        code = f"import {package}, paraply, os; print(os.getuid())"
        assert docker("run", "--rm", *HARDENED, "--entrypoint", "python", built, "-c", code) == USER.split(":")[0]
    finally:
        docker("rmi", built)
