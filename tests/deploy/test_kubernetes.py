"""The manifests of deploy/k8s as they are, on the kubelet of these tests."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.containers import HARDENED, ROOT, Container, Containers, docker, image
from deploy.kubernetes import manifests
from deploy.kubernetes.kubelet import Kubelet

#: Which files of `paraply credentials` are in which Secret: a folder for each holder.
SECRETS = {"": "paraply-ca", "engine": "paraply-engine", "client": "paraply-client"}

CALL = """
import os, paraply as ipp
rc = ipp.Client("/credentials/connection.json")
rc.wait_for_engines(4)
print(sorted(rc[:].apply_sync(os.getuid)))
"""

LOAD = """
import time, paraply as ipp

def number(n):
    import time
    time.sleep(0.05)
    return n

rc = ipp.Client("/credentials/connection.json")
rc.wait_for_engines(4)
running = rc.load_balanced_view().map_async(number, range(400), chunksize=1)
print("begun", flush=True)
assert running.get(timeout=100) == list(range(400))
print("all there")
"""


def fill(kubelet: Kubelet, folder: Path) -> None:
    """Puts the files of a folder of credentials into the three Secrets."""
    for holder, secret in SECRETS.items():
        files = (file for file in (folder / holder).iterdir() if file.is_file())
        data = {file.name: base64.b64encode(file.read_bytes()).decode() for file in files}
        kubelet.api.objects.patch("Secret", "paraply", secret, {"data": data})


def make_credentials(folder: Path) -> None:
    endpoints = ["--endpoint=tls:paraply-controller:7600", "--host=paraply-scheduler", "--cluster-id=paraply"]
    program = [str(Path(sys.executable).parent / "paraply"), "credentials", str(folder), *endpoints]
    subprocess.run(program, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("credentials")
    make_credentials(folder)
    # For a client in a container, whose user is not this one.
    for file in (folder / "client", *(folder / "client").iterdir()):
        os.chown(file, 65532, 65532)
    return folder


@pytest.fixture(scope="module")
def kubelet(engine: None, credentials: Path) -> Iterator[Kubelet]:
    if os.geteuid() != 0:
        pytest.skip("files of Secrets are root's")
    kubelet = Kubelet(manifests.applied(ROOT / "deploy/k8s"))
    try:
        (first, *_) = kubelet.of("paraply-engine")
        first.container.wait_for_log("waiting for the connection file /credentials/engine.json")
        for workload in ("paraply-controller", "paraply-scheduler"):
            (pod,) = kubelet.of(workload)
            pod.container.wait_for_log("waiting for files")
            assert pod.restarts == 0
        fill(kubelet, credentials)
        kubelet.wait_until_ready("paraply-controller", 1)
        kubelet.wait_until_ready("paraply-scheduler", 1)
        kubelet.wait_until_ready("paraply-engine", 4)
        yield kubelet
    finally:
        kubelet.close()


@pytest.mark.parametrize("role", ["controller", "scheduler"])
def test_a_service_that_waits_for_its_files_ends_when_told(containers: Containers, role: str) -> None:
    tokens = ("--client-token-file", "/credentials/client-token", "--engine-token-file", "/credentials/engine-token")
    arguments = ("--wait", "--cluster-id", "x", "--listen", "127.0.0.1:7600", *tokens)
    waiting = containers.start(image(role), *arguments, options=HARDENED)
    waiting.wait_for_log("waiting for files")
    status, took = waiting.terminate(20)
    assert (status, took < 5) == (0, True)


def client(kubelet: Kubelet, credentials: Path, code: str) -> Container:
    """A pod of a client's own would see the same."""
    options = (*HARDENED, "--network", kubelet.network, "--volume", f"{credentials / 'client'}:/credentials:ro")
    return Container.start(image("engine"), "-c", code, options=(*options, "--entrypoint", "python"))


def test_a_client_calls_engines(kubelet: Kubelet, credentials: Path) -> None:
    calling = client(kubelet, credentials, CALL)
    try:
        assert "[65532, 65532, 65532, 65532]" in calling.ends(60)
    finally:
        calling.remove()


@pytest.mark.timeout(200)
def test_engines_that_are_drained_lose_nothing(kubelet: Kubelet, credentials: Path) -> None:
    calling = client(kubelet, credentials, LOAD)
    try:
        calling.wait_for_log("begun")
        for pod in kubelet.of("paraply-engine")[:2]:
            assert kubelet.delete(pod.name) == 0
        kubelet.reconcile()
        assert "all there" in calling.ends(120)
    finally:
        calling.remove()
    kubelet.wait_until_ready("paraply-engine", 4)


@pytest.mark.timeout(200)
def test_a_controller_and_a_scheduler_that_move_lose_nothing(kubelet: Kubelet, credentials: Path) -> None:
    calling = client(kubelet, credentials, LOAD)
    try:
        calling.wait_for_log("begun")
        for workload in ("paraply-controller", "paraply-scheduler"):
            (pod,) = kubelet.of(workload)
            assert kubelet.delete(pod.name) == 0
            kubelet.reconcile()
            kubelet.wait_until_ready(workload, 1)
        assert "all there" in calling.ends(120)
    finally:
        calling.remove()
    kubelet.wait_until_ready("paraply-engine", 4)


def test_applying_again_changes_nothing(kubelet: Kubelet) -> None:
    before = {name: pod.container.id for name, pod in kubelet.pods.items()}
    filled = kubelet.api.objects.list("Secret", "paraply")
    kubelet.apply(manifests.applied(ROOT / "deploy/k8s"))
    assert {name: pod.container.id for name, pod in kubelet.pods.items()} == before
    assert [s["data"] for s in kubelet.api.objects.list("Secret", "paraply")] == [s["data"] for s in filled]


def test_engines_have_no_token_for_the_api_server(kubelet: Kubelet) -> None:
    (first, *_) = kubelet.of("paraply-engine")
    assert first.container.run("sh", "-c", "ls /var/run/secrets 2>/dev/null || echo none") == "none"
    assert docker("exec", first.container.id, "ls", "/credentials").split() != []
