"""The kubelet of these tests does what one does, as far as Paraply's manifests ask for it."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.containers import docker, image
from deploy.kubernetes.kubelet import Kubelet
from deploy.kubernetes.manifests import Manifest
from deploy.kubernetes.pods import Pod
from deploy.kubernetes.volumes import NotThere

SAMPLE = (Path(__file__).parent / "kubernetes/sample.py").read_text()

MANIFESTS = """
kind: Namespace
metadata: {name: test}
---
kind: Secret
metadata: {name: secret, namespace: test}
---
kind: ConfigMap
metadata: {name: settings, namespace: test}
data: {a.toml: "x = 1"}
---
kind: Role
metadata: {name: scaler, namespace: test}
rules: [{apiGroups: [apps], resources: [deployments/scale], resourceNames: [sample], verbs: [patch]}]
---
kind: RoleBinding
metadata: {name: scaler, namespace: test}
roleRef: {kind: Role, name: scaler}
subjects: [{kind: ServiceAccount, name: sample, namespace: test}]
---
kind: Service
metadata: {name: by-name, namespace: test}
spec: {selector: {app: sample}}
---
kind: Deployment
metadata: {name: sample, namespace: test}
spec:
  replicas: 1
  selector: {matchLabels: {app: sample}}
  template:
    metadata: {labels: {app: sample}}
    spec:
      serviceAccountName: sample
      automountServiceAccountToken: true
      terminationGracePeriodSeconds: 2
      securityContext: {runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532}
      containers:
        - name: sample
          args: ["--pod=$(POD)", "$(UNKNOWN)"]
          env:
            - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: CORES, valueFrom: {resourceFieldRef: {resource: requests.cpu}}}
          ports: [{name: web, containerPort: 8000}]
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
          resources: {requests: {cpu: 100m}, limits: {memory: 256Mi}}
          startupProbe: {httpGet: {path: /healthz, port: web}, periodSeconds: 0.2, failureThreshold: 100}
          readinessProbe: {grpc: {port: 9600}, periodSeconds: 0.2, timeoutSeconds: 5, failureThreshold: 2}
          livenessProbe: {httpGet: {path: /healthz, port: web}, periodSeconds: 0.2, timeoutSeconds: 5, failureThreshold: 2}
          volumeMounts:
            - {name: secret, mountPath: /secret, readOnly: true}
            - {name: settings, mountPath: /settings}
            - {name: data, mountPath: /data}
            - {name: tmp, mountPath: /tmp}
      volumes:
        - name: secret
          secret: {secretName: secret, optional: true, defaultMode: 0440, items: [{key: token, path: token}]}
        - {name: settings, configMap: {name: settings}}
        - {name: data, emptyDir: {}}
        - {name: tmp, emptyDir: {medium: Memory, sizeLimit: 16Mi}}
"""


def manifests() -> list[Manifest]:
    found = list(yaml.safe_load_all(MANIFESTS))
    container = found[-1]["spec"]["template"]["spec"]["containers"][0]
    container["image"] = image("engine")
    container["command"] = ["python", "-c", SAMPLE]
    return found


@pytest.fixture
def kubelet(engine: None) -> Iterator[Kubelet]:
    if os.geteuid() != 0:
        pytest.skip("files of Secrets are root's")
    kubelet = Kubelet(manifests())
    try:
        kubelet.wait_until_ready("sample", 1)
        yield kubelet
    finally:
        kubelet.close()


@pytest.fixture
def pod(kubelet: Kubelet) -> Pod:
    (pod,) = kubelet.of("sample")
    return pod


def until(holds: Callable[[], Any], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.05)


def seen(pod: Pod, host: str = "127.0.0.1") -> dict[str, Any]:
    code = f"import urllib.request as r; print(r.urlopen('http://{host}:8000/').read().decode())"
    return dict(json.loads(pod.container.run("python", "-c", code)))


def test_a_pod_gets_what_its_manifest_says(kubelet: Kubelet, pod: Pod) -> None:
    told = seen(pod)
    assert told["user"] == [65532, 65532]
    assert told["arguments"] == [f"--pod={pod.name}", "$(UNKNOWN)"]
    assert told["environment"]["CORES"] == "1", "a tenth, rounded up"
    assert not told["root_is_writable"]
    assert told["capabilities"] == ["CapEff:\t0000000000000000\n"]
    assert told["files"] == {"/settings/a.toml": ["x = 1", "0o644"]}
    assert kubelet.api.objects.list("Pod", "test", {"app": "sample"})[0]["status"]["conditions"][0]["status"] == "True"


def test_a_secret_that_is_filled_appears_and_changes(kubelet: Kubelet, pod: Pod) -> None:
    for content in ("one", "two"):
        data = {"token": base64.b64encode(content.encode()).decode(), "other": ""}
        kubelet.api.objects.patch("Secret", "test", "secret", {"data": data})
        assert seen(pod)["files"]["/secret/token"] == [content, "0o440"]
    kubelet.api.objects.patch("Secret", "test", "secret", {"data": None})
    assert "/secret/token" not in seen(pod)["files"]


def test_a_service_is_a_name(pod: Pod) -> None:
    for name in ("by-name", "by-name.test.svc", "by-name.test.svc.cluster.local"):
        assert seen(pod, name)["environment"]["POD"] == pod.name


def test_a_pod_that_is_not_ready_lives_and_one_that_is_sick_is_started_again(pod: Pod) -> None:
    pod.container.run("touch", "/data/unready")
    until(lambda: not pod.ready)
    assert pod.restarts == 0
    pod.container.run("rm", "/data/unready")
    until(lambda: pod.ready)
    pod.container.run("sh", "-c", "touch /data/sick && cat /data/starts")
    until(lambda: pod.restarts >= 1)
    until(lambda: pod.container.state["Running"])
    pod.container.run("rm", "-f", "/data/sick")
    until(lambda: pod.ready)
    assert pod.container.run("cat", "/data/starts").startswith("xx"), "the volume is as old as the pod"


def test_a_process_that_ends_is_started_again(pod: Pod) -> None:
    docker("kill", "--signal", "TERM", pod.container.id)
    until(lambda: pod.restarts >= 1 and pod.ready)


def test_a_pod_has_its_grace_and_no_more(kubelet: Kubelet, pod: Pod) -> None:
    assert kubelet.delete(pod.name) == 0
    kubelet.reconcile()
    kubelet.wait_until_ready("sample", 1)
    (other,) = kubelet.of("sample")
    other.container.run("sh", "-c", "echo 60 > /data/slow")
    begun = time.monotonic()
    assert kubelet.delete(other.name) == 137
    assert 2 <= time.monotonic() - begun < 10


def test_a_pod_scales_as_far_as_its_role_allows(kubelet: Kubelet, pod: Pod) -> None:
    code = """
import os, json, urllib.request as r
base = "http://%s:%s" % (os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"])
token = open("/var/run/secrets/kubernetes.io/serviceaccount/token").read()
headers = {"Authorization": "Bearer " + token, "Content-Type": "application/merge-patch+json"}
path = "/apis/apps/v1/namespaces/test/deployments/sample"
def patch(path, replicas):
    body = json.dumps({"spec": {"replicas": replicas}}).encode()
    try:
        return r.urlopen(r.Request(base + path, body, headers, method="PATCH")).status
    except r.HTTPError as error:
        return error.code
print(patch(path + "/scale", %d), patch(path, 0))
"""
    said = pod.container.run(
        "python", "-c", code.replace("%d", "3").replace("r.HTTPError", "__import__('urllib.error').error.HTTPError")
    )
    assert said == "200 403"
    until(lambda: len(kubelet.of("sample")) == 3)
    kubelet.wait_until_ready("sample", 3)
    costs = dict(zip((pod.name for pod in kubelet.of("sample")), ("0", "-5", "7"), strict=True))
    for name, cost in costs.items():
        annotation = {"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": cost}}}
        kubelet.api.objects.patch("Pod", "test", name, annotation)
    kubelet.api.objects.patch("Deployment", "test", "sample", {"spec": {"replicas": 1}})
    until(lambda: len(kubelet.of("sample")) == 1)
    assert [costs[pod.name] for pod in kubelet.of("sample")] == ["7"], "the one that costs most stays"


def test_what_is_not_there_and_not_optional_is_named(engine: None) -> None:
    if os.geteuid() != 0:
        pytest.skip("files of Secrets are root's")
    wrong = manifests()
    wrong[-1]["spec"]["template"]["spec"]["volumes"][0]["secret"]["optional"] = False
    with pytest.raises(NotThere, match="no token in the Secret secret"):
        Kubelet(wrong)
