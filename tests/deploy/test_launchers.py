"""Clusters elsewhere, started from a notebook as one of processes is: `Cluster(engines="docker")` and `"kubernetes"`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from home import eventually

import paraply
from deploy import compose
from deploy.containers import docker
from deploy.kubernetes.kubelet import Kubelet
from deploy.kubernetes.people import api_certificate, kubeconfig


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a user who has no cluster yet."""
    for variable in [variable for variable in os.environ if variable.startswith("PARAPLY_")]:
        monkeypatch.delenv(variable)
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("PARAPLY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path


def hosts(rc: paraply.Client) -> set[str]:
    """Where engines run."""
    return set(rc[:].apply_sync(paraply.util.interactive(lambda: __import__("socket").gethostname())))


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [str(Path(sys.executable).parent / "paraply"), *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)


def of_project(name: str, *words: str) -> list[str]:
    return docker(*words, "--quiet", "--filter", f"label=com.docker.compose.project={name}").split()


@pytest.fixture
def no_project_left(engine: None) -> Iterator[None]:
    if not compose.command():
        pytest.skip("neither `docker compose` nor `docker-compose` works")
    yield
    for words in (("ps", "--all"), ("volume", "ls"), ("network", "ls")):
        assert of_project("paraply-default-lab", *words) == []


@pytest.mark.timeout(300)
def test_a_cluster_of_containers(home: Path, no_project_left: None) -> None:
    cluster = paraply.Cluster(n=2, engines="docker", cluster_id="lab")
    with cluster as rc:
        assert rc.ids == [0, 1]
        assert len(hosts(rc)) == 2
        rc[:].push({"x": 7})
        assert rc[:].pull("x", block=True) == [7, 7]
        assert list(cluster.engines) == ["docker"] and cluster.engine_set is not None
        assert cluster.engine_set.running and cluster.controller is not None and cluster.controller.running
        cluster.scale(3, timeout=100)
        eventually(lambda: len(rc.ids) == 3, "this client hears of it too")
        assert len(hosts(rc)) == 3
        cluster.stop_engine_sync(0)
        eventually(lambda: rc.ids == [1, 2], "engine 0 has left, and none takes its place")
        cluster.restart_engine_sync(1)
        eventually(lambda: len(rc.ids) == 2 and 1 not in rc.ids, "another in place of engine 1")
        listed = json.loads(command("list", "--json").stdout)
        assert [(record["launcher"], record["running_engines"]) for record in listed] == [("docker", 2)]
        with pytest.raises(RuntimeError, match="is running already"):
            cluster.start_cluster_sync()
        again = paraply.Cluster.from_file(cluster_id="lab")
        assert again.engine_set is not None and again.engine_set.n == 2
    assert not list((home / "home/default/lab").glob("*.json"))


@pytest.mark.timeout(300)
def test_the_command_starts_containers_in_the_background(home: Path, no_project_left: None) -> None:
    started = command("start", "-n", "1", "--launcher", "docker", "--cluster-id", "lab", "--daemonize")
    assert started.returncode == 0, started.stderr
    assert "runs with 1 engine" in started.stdout
    more = command("engines", "-n", "1")
    assert more.returncode == 0, more.stderr
    with paraply.Client() as rc:
        assert len(rc.ids) == 2
    stopped = command("stop")
    assert stopped.returncode == 0, stopped.stderr


def test_what_is_for_processes_is_refused(home: Path) -> None:
    refused = command("start", "--launcher", "docker", "--python", "/usr/bin/python3")
    assert refused.returncode == 1 and "--python is for clusters of processes" in refused.stderr


@pytest.fixture
def kubelet(engine: None, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubelet]:
    """A cluster with nothing in it, and a kubeconfig for it."""
    if os.geteuid() != 0:
        pytest.skip("files of Secrets are root's")
    (home / "api").mkdir()
    kubelet = Kubelet([], tls=lambda address: api_certificate(home / "api", address))
    kubelet.api.accounts["token-of-a-person"] = "person"
    kubelet.api.admins.add("person")
    (home / "kubeconfig").write_text(kubeconfig(kubelet))
    monkeypatch.setenv("KUBECONFIG", str(home / "kubeconfig"))
    try:
        yield kubelet
    finally:
        kubelet.close()


@pytest.mark.timeout(300)
def test_a_cluster_of_pods(kubelet: Kubelet) -> None:
    cluster = paraply.Cluster(n=2, engines="kubernetes", cluster_id="lab", namespace="alice")
    with cluster as rc:
        assert rc.ids == [0, 1]
        assert hosts(rc) == {pod.name for pod in kubelet.of("paraply-engine")}
        view = rc.load_balanced_view()
        assert view.map_sync(lambda n: n * n, range(100)) == [n * n for n in range(100)]
        large = b"x" * (8 << 20)
        assert rc[0].apply_sync(len, large) == 8 << 20
        rc.scale(3, timeout=100)
        assert len(hosts(rc)) == 3
        with pytest.raises(RuntimeError, match="the namespace alice is there already"):
            paraply.Cluster(n=1, engines="kubernetes", cluster_id="other", namespace="alice").start_cluster_sync()
        assert kubelet.api.objects.get("Namespace", "", "alice") is not None, "what others have made stays"
        assert len(hosts(rc)) == 3
    eventually(lambda: not kubelet.pods, "the namespace is deleted, and its pods")
    assert kubelet.api.objects.get("Namespace", "", "alice") is None


def test_a_cluster_that_nobody_may_start(kubelet: Kubelet) -> None:
    kubelet.api.admins.clear()
    with pytest.raises(RuntimeError, match="person cannot get resource"):
        paraply.Cluster(n=1, engines="kubernetes", cluster_id="lab").start_cluster_sync()


def test_one_launcher_runs_both(home: Path) -> None:
    with pytest.raises(ValueError, match="one launcher runs both"):
        paraply.Cluster(engines="docker", controller="local")
    with pytest.raises(TypeError, match="unexpected keyword argument 'namespace'"):
        paraply.Cluster(engines="docker", namespace="alice")
