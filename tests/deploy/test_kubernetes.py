"""The manifests of deploy/k8s as they are, on the kubelet of these tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import programs
from deploy.containers import HARDENED, ROOT, Container, Containers, docker, image
from deploy.kubernetes import manifests
from deploy.kubernetes.kubelet import Kubelet
from deploy.kubernetes.manifests import Manifest
from deploy.kubernetes.objects import Objects
from deploy.kubernetes.people import CLIENT, api_certificate, client, client_credentials, content, kubeconfig

#: The Secrets, and what clients and engines find in them.
SECRETS = {"paraply-ca": "server.pem", "paraply-engine": "engine.json", "paraply-client": "connection.json"}

CALL = """
import os, paraply as ipp
rc = ipp.Client()
rc.wait_for_engines(4)
print(sorted(rc[:].apply_sync(os.getuid)))
"""

LOAD = """
import time, paraply as ipp

def number(n):
    import time
    time.sleep(0.05)
    return n

rc = ipp.Client()
rc.wait_for_engines(4)
running = rc.load_balanced_view().map_async(number, range(400), chunksize=1)
print("begun", flush=True)
assert running.get(timeout=100) == list(range(400))
print("all there")
"""

#: Somebody whose kubeconfig leads to the Secret of clients.
PERSON: list[Manifest] = [
    {
        "kind": "Role",
        "metadata": {"name": "person", "namespace": "paraply"},
        "rules": [
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["paraply-client"], "verbs": ["get"]},
        ],
    },
    {
        "kind": "RoleBinding",
        "metadata": {"name": "person", "namespace": "paraply"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "person"},
        "subjects": [{"kind": "ServiceAccount", "name": "person", "namespace": "paraply"}],
    },
]


class Contested(Objects):
    """Somebody else changes each Secret a moment before the first who wants to."""

    def __init__(self) -> None:
        super().__init__()
        self.contested: set[str] = set()

    def patch(self, kind: str, namespace: str, name: str, patch: Manifest) -> Manifest | None:
        if kind == "Secret" and name not in self.contested:
            self.contested.add(name)
            super().patch(kind, namespace, name, {"metadata": {"annotations": {"changed-by": "somebody"}}})
        return super().patch(kind, namespace, name, patch)


@pytest.fixture(scope="module")
def kubelet(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubelet]:
    if os.geteuid() != 0:
        pytest.skip("files of Secrets are root's")
    folder = tmp_path_factory.mktemp("api-server")
    applied = [*manifests.applied(ROOT / "deploy/k8s"), *PERSON]
    kubelet = Kubelet(applied, tls=lambda address: api_certificate(folder, address), objects=Contested())
    kubelet.api.accounts["token-of-a-person"] = "person"
    try:
        kubelet.wait_until_ready("paraply-controller", 1)
        kubelet.wait_until_ready("paraply-scheduler", 1)
        kubelet.wait_until_ready("paraply-engine", 4)
        yield kubelet
    finally:
        kubelet.close()


@pytest.fixture(scope="module")
def credentials(kubelet: Kubelet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a client's pod would mount."""
    return client_credentials(kubelet, tmp_path_factory.mktemp("client"))


def test_the_controller_fills_the_secrets_and_asks_for_nothing_else(kubelet: Kubelet) -> None:
    for secret, file in SECRETS.items():
        assert file in content(kubelet, secret)
    assert "ca-key.pem" not in content(kubelet, "paraply-engine") | content(kubelet, "paraply-client")
    assert {made.account for made in kubelet.api.made} == {"paraply-controller"}, "this comes before others ask"
    calls = {(made.call.verb, made.call.resource, made.call.name) for made in kubelet.api.made}
    assert calls == {(verb, "secrets", name) for verb in ("get", "patch") for name in SECRETS}
    refused = [made.call.name for made in kubelet.api.made if made.status == 409]
    assert sorted(refused) == sorted(SECRETS), "each was somebody else's once, and was read again"
    assert all(made.status in (200, 409) for made in kubelet.api.made)
    for pod in kubelet.pods.values():
        assert pod.restarts == 0, "who waits does not fail"


@pytest.mark.parametrize("role", ["controller", "scheduler"])
def test_a_service_that_waits_for_its_files_ends_when_told(containers: Containers, role: str) -> None:
    tokens = ("--client-token-file", "/credentials/client-token", "--engine-token-file", "/credentials/engine-token")
    arguments = ("--wait", "--cluster-id", "x", "--listen", "127.0.0.1:7600", *tokens)
    waiting = containers.start(image(role), *arguments, options=HARDENED)
    waiting.wait_for_log("waiting for files")
    status, took = waiting.terminate(20)
    assert (status, took < 18) == (0, True), took


def test_a_client_calls_engines(kubelet: Kubelet, credentials: Path) -> None:
    calling = client(kubelet, credentials, CALL)
    try:
        assert "[65532, 65532, 65532, 65532]" in calling.ends(60)
    finally:
        calling.remove()


@pytest.mark.timeout(200)
def test_an_admin_scales_and_the_busy_engine_stays(kubelet: Kubelet, credentials: Path) -> None:
    """By the controller, which may do no more than its Role says: the scale subresource, and the cost of pods."""
    before = {pod.name for pod in kubelet.of("paraply-engine")}
    token = content(kubelet, "paraply-ca")["admin-token"].decode()
    scaling = client(kubelet, credentials, programs.scale(4), "--env", f"PARAPLY_ADMIN_TOKEN={token}")
    try:
        assert "all there" in scaling.ends(150)
    finally:
        scaling.remove()
    (stayed,) = before & {pod.name for pod in kubelet.of("paraply-engine")}
    assert before - {stayed} <= kubelet.ended.keys()
    kubelet.wait_until_ready("paraply-engine", 4)
    refused = [made for made in kubelet.api.made if made.status == 403 and made.account == "paraply-controller"]
    assert refused == []


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


def connects(who: Container, host: str, port: int) -> bool:
    """Whether a connection is taken. What policies drop is not answered at all."""
    begin = f"connection = socket.create_connection(({host!r}, {port}), timeout=3)"
    code = f"import socket\ntry:\n    {begin}\n    print('taken')\nexcept TimeoutError:\n    print('dropped')"
    said = who.run("python", "-c", code)
    assert said in {"taken", "dropped"}, said
    return said == "taken"


@pytest.fixture
def people(kubelet: Kubelet, credentials: Path) -> Iterator[dict[str, Container]]:
    """Pods of somebody else's, in the namespace `default`."""
    idle = "import time; time.sleep(600)"
    labels: dict[str, dict[str, str]] = {"client": CLIENT, "stranger": {"app": "other"}}
    started = {name: client(kubelet, credentials, idle, labels=these) for name, these in labels.items()}
    try:
        yield started
    finally:
        for container in started.values():
            container.remove()


def test_who_is_no_client_reaches_no_service(kubelet: Kubelet, people: dict[str, Container]) -> None:
    services = {"paraply-controller": 7600, "paraply-scheduler": 7601}
    for host, port in services.items():
        assert connects(people["client"], host, port)
        assert not connects(people["stranger"], host, port)
        assert not connects(people["client"], host, 9600), "nor does a client reach more than it needs"
    policies = kubelet.api.objects.list("NetworkPolicy", "paraply")
    for policy in policies:
        kubelet.remove("NetworkPolicy", "paraply", policy["metadata"]["name"])
    for host, port in services.items():
        assert connects(people["stranger"], host, port), "it was the policies that kept it out"
    kubelet.apply(policies)
    assert not connects(people["stranger"], "paraply-controller", 7600)


def test_nobody_reaches_an_engine(kubelet: Kubelet, people: dict[str, Container]) -> None:
    engine, other = kubelet.of("paraply-engine")[:2]
    (controller,) = kubelet.of("paraply-controller")
    for who in (*people.values(), other.container):
        assert not connects(who, engine.ip, 9600)
    assert connects(other.container, controller.ip, 7600), "what an engine needs it reaches"
    assert engine.ready, "and probes reach it"
    policies = kubelet.api.objects.list("NetworkPolicy", "paraply")
    for policy in policies:
        kubelet.remove("NetworkPolicy", "paraply", policy["metadata"]["name"])
    assert connects(people["stranger"], engine.ip, 9600), "it was the policies that kept it out"
    kubelet.apply(policies)
    assert not connects(people["stranger"], engine.ip, 9600)


def test_connect_writes_what_a_client_outside_needs(kubelet: Kubelet, tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(kubeconfig(kubelet))
    environment = {**os.environ, "KUBECONFIG": str(tmp_path / "kubeconfig"), "PARAPLY_HOME": str(tmp_path / "home")}
    command = [str(Path(sys.executable).parent / "paraply"), "connect", "--kubernetes"]

    def connect(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments], check=False, env=environment, capture_output=True, text=True, timeout=60
        )

    done = connect()
    assert done.returncode == 0, done.stderr
    assert "kubectl -n paraply port-forward service/paraply-controller 7600" in done.stdout
    written = json.loads((tmp_path / "home/default/paraply/connection.json").read_bytes())
    expected = json.loads(content(kubelet, "paraply-client")["connection.json"])
    assert written == expected, "and no admin's token, which this person may not read"
    assert written["endpoints"][0] == {"tls": "127.0.0.1:7600"}

    done = connect("--endpoint", "tls:paraply.example:443", "--cluster-id", "outside")
    assert (done.returncode, "port-forward" in done.stdout) == (0, False), done.stderr
    written = json.loads((tmp_path / "home/default/outside/connection.json").read_bytes())
    assert written["endpoints"] == [{"tls": "paraply.example:443"}]

    done = connect("--namespace", "elsewhere")
    assert done.returncode == 1
    assert "the Secret paraply-client in the namespace elsewhere" in done.stderr
