"""A cluster of compose.yaml: used from the host and from a container, scaled and hurt under load, and gone in the end."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from deploy import compose, programs
from deploy.compose import Project
from deploy.containers import Container, docker

PI = """
import random, paraply as ipp

def inside(n):
    return sum(random.random() ** 2 + random.random() ** 2 < 1 for _ in range(n))

rc = ipp.Client()
rc.wait_for_engines(4)
estimate = 4 * sum(rc.load_balanced_view().map_sync(inside, [20_000] * 50)) / 1_000_000
assert abs(estimate - 3.1416) < 0.05, estimate
print("pi is about", round(estimate, 2))
"""

#: A load of tasks with numbers, each of which gives its own. A task may run again where its engine is lost.
LOAD = """
import time, paraply as ipp

def number(n):
    import time
    time.sleep(0.05)
    return n

rc = ipp.Client()
rc.wait_for_engines(1)
view = rc.load_balanced_view()
view.retries = 5
running = view.map_async(number, range(TASKS), chunksize=1)
print("begun", flush=True)
results = running.get(timeout=150)
assert results == list(range(TASKS)), [n for n in range(TASKS) if results.count(n) != 1]
print("all there")
"""


@pytest.fixture(scope="module")
def project(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    if not compose.command():
        pytest.skip("neither `docker compose` nor `docker-compose` works")
    project = Project(tmp_path_factory.mktemp("home"))
    try:
        project.up(engines=4)
        project.connect()
        yield project
    finally:
        project.down()
    assert project.leftovers() == {"containers": [], "volumes": [], "networks": []}


@pytest.fixture
def load(project: Project) -> Iterator[Callable[[int], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(tasks: int) -> subprocess.Popen[str]:
        client = project.on_host(LOAD.replace("TASKS", str(tasks)))
        started.append(client)
        assert client.stdout is not None
        for line in client.stdout:
            if line == "begun\n":
                return client
        raise AssertionError("the client has ended before it began")

    yield start
    for client in started:
        client.kill()
        client.communicate()


def finish(client: subprocess.Popen[str]) -> None:
    """Every task has one result."""
    said, _ = client.communicate(timeout=170)
    assert client.returncode == 0, said
    assert "all there" in said


def test_pi_from_the_host(project: Project) -> None:
    said, _ = project.on_host(PI).communicate(timeout=60)
    assert "pi is about 3.1" in said, said


def test_pi_from_a_container(project: Project) -> None:
    assert "pi is about 3.1" in project.in_container(PI)


def test_the_connection_file_is_its_owners(project: Project) -> None:
    file = project.home / "default/compose/connection.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert str(file) in project.connect(), "and is written again"


def test_a_second_start_leaves_credentials_as_they_are(project: Project) -> None:
    before = (project.home / "default/compose/connection.json").read_text()
    project("up", "--detach", "--no-build", "--force-recreate", "--scale", "engine=4", "credentials")
    project.connect()
    assert (project.home / "default/compose/connection.json").read_text() == before


@pytest.mark.timeout(300)
def test_more_and_fewer_engines_under_load(project: Project, load: Callable[[int], subprocess.Popen[str]]) -> None:
    client = load(800)
    project.up(engines=6)
    project.up(engines=2)
    assert len(project.containers("engine")) == 2
    finish(client)
    project.up(engines=4)


@pytest.mark.timeout(300)
def test_a_client_scales_and_the_busy_engine_stays(project: Project) -> None:
    finish(project.on_host(programs.scale(5)))
    assert len(project.containers("engine")) == 5
    assert "engines that take tasks: 4" in project.command("scale", "4", timeout=120)
    assert len(project.containers("engine")) == 4


@pytest.mark.timeout(300)
def test_the_command_scales_under_load(project: Project, load: Callable[[int], subprocess.Popen[str]]) -> None:
    client = load(800)
    for engines in (6, 2, 4):
        project.command("scale", str(engines), timeout=120)
        assert len(project.containers("engine")) == engines
    finish(client)


def test_who_cannot_launch_engines_says_who_can(project: Project) -> None:
    code = """
import paraply
try:
    paraply.Client().scale(2)
except (PermissionError, RuntimeError) as error:
    print(error)
"""
    assert "it needs the admin token" in project.in_container(code)
    token = json.loads((project.home / "default/compose/connection.json").read_bytes())["admin_token"]
    refused = project.in_container(code, token)
    assert "nobody here launches any" in refused and "--scale engine=N" in refused


@pytest.mark.timeout(300)
def test_an_engine_that_is_killed(project: Project, load: Callable[[int], subprocess.Popen[str]]) -> None:
    client = load(400)
    docker("kill", project.containers("engine")[0].id)
    finish(client)
    project.up(engines=4)


@pytest.mark.timeout(300)
def test_an_engine_that_is_paused_for_a_minute(project: Project, load: Callable[[int], subprocess.Popen[str]]) -> None:
    client = load(400)
    victim = project.containers("engine")[0]
    docker("pause", victim.id)
    try:
        time.sleep(60)
    finally:
        docker("unpause", victim.id)
    finish(client)
    victim.wait_until_healthy()


@pytest.mark.timeout(300)
def test_an_engine_that_is_cut_off_and_back(project: Project, load: Callable[[int], subprocess.Popen[str]]) -> None:
    client = load(400)
    victim, network = project.containers("engine")[0], f"{project.name}_default"
    docker("network", "disconnect", network, victim.id)
    try:
        until_unhealthy(victim)
    finally:
        docker("network", "connect", network, victim.id)
    finish(client)
    victim.wait_until_healthy()


def until_unhealthy(container: Container) -> None:
    """Until its health check has failed once: it knows that it is cut off."""
    end = time.monotonic() + 60
    while container.state["Health"]["FailingStreak"] == 0:
        assert time.monotonic() < end
        time.sleep(0.2)


def test_an_engine_has_no_way_to_others_credentials(project: Project) -> None:
    engine = project.containers("engine")[0]
    found = engine.run("sh", "-c", "ls /credentials").split()
    assert "engine.json" in found
    assert not {"client-token", "admin-token", "ca-key.pem", "server-key.pem", "client", "admin"} & set(found)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"token": "0123456789abcdef0123"}, "wrong token"),
        ({"endpoints": [{"tcp": "127.0.0.1:PORT"}]}, "speaks TLS"),
        ({"ca": ""}, "CERTIFICATE_VERIFY_FAILED"),
        ({"endpoints": [{"tls": "127.0.0.1:PORT", "server_name": "elsewhere"}]}, "Hostname Verification"),
    ],
)
def test_the_port_asks_for_tls_and_a_token(project: Project, change: dict[str, object], refusal: str) -> None:
    content = json.loads((project.home / "default/compose/connection.json").read_text()) | change
    if not content["ca"]:
        del content["ca"]
    info = json.dumps(content).replace("PORT", str(project.port))
    program = project.on_host(f"import json, paraply\nparaply.Client(json.loads({info!r}), timeout=5)")
    said, _ = program.communicate(timeout=60)
    assert program.returncode == 1 and refusal in said, said


def test_the_command_finds_it(project: Project) -> None:
    said = project.command("status", "--json")
    assert json.loads(said)["cluster_id"] == "compose"
