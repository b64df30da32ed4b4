"""The API server of these tests: it keeps to the Role that deploy/k8s gives the controller."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.containers import ROOT
from deploy.kubernetes import manifests
from deploy.kubernetes.api_server import ApiServer

ALL = manifests.applied(ROOT / "deploy/k8s")
CORE = "/api/v1/namespaces/paraply"
SCALE = "/apis/apps/v1/namespaces/paraply/deployments/paraply-engine/scale"
MERGE = "application/merge-patch+json"


@pytest.fixture
def api() -> Iterator[ApiServer]:
    api = ApiServer(ALL, accounts={"c": "paraply-controller", "e": "paraply-engine"})
    for manifest in ALL:
        api.objects.apply(manifest)
    yield api
    api.close()


def ask(
    api: ApiServer, method: str, path: str, body: Any = None, token: str = "c", kind: str = MERGE
) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{api.port}{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_the_controller_fills_an_empty_secret_once(api: ApiServer) -> None:
    path = f"{CORE}/secrets/paraply-ca"
    status, secret = ask(api, "GET", path)
    assert status == 200 and "data" not in secret
    seen = {"resourceVersion": secret["metadata"]["resourceVersion"]}
    assert ask(api, "PATCH", path, {"metadata": seen, "data": {"ca.pem": "YQ=="}})[0] == 200
    status, answer = ask(api, "PATCH", path, {"metadata": seen, "data": {"ca.pem": "Yg=="}})
    assert (status, answer["reason"]) == (409, "Conflict"), "somebody else was first"
    assert ask(api, "GET", path)[1]["data"] == {"ca.pem": "YQ=="}


def test_applying_again_leaves_filled_data_alone(api: ApiServer) -> None:
    ask(api, "PATCH", f"{CORE}/secrets/paraply-ca", {"data": {"ca.pem": "YQ=="}})
    for manifest in ALL:
        api.objects.apply(manifest)
    assert ask(api, "GET", f"{CORE}/secrets/paraply-ca")[1]["data"] == {"ca.pem": "YQ=="}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{CORE}/secrets"),
        ("GET", f"{CORE}/secrets/another"),
        ("PATCH", f"{CORE}/secrets/another"),
        ("POST", f"{CORE}/secrets"),
        ("DELETE", f"{CORE}/secrets/paraply-ca"),
        ("PUT", f"{CORE}/secrets/paraply-ca"),
        ("GET", "/api/v1/namespaces/other/secrets/paraply-ca"),
        ("GET", f"{CORE}/pods/one"),
        ("DELETE", f"{CORE}/pods/one"),
        ("GET", f"{CORE}/configmaps/paraply-services"),
        ("PATCH", "/apis/apps/v1/namespaces/paraply/deployments/paraply-engine"),
        ("PATCH", "/apis/apps/v1/namespaces/paraply/deployments/paraply-controller/scale"),
    ],
)
def test_what_the_role_does_not_name_is_forbidden(api: ApiServer, method: str, path: str) -> None:
    status, answer = ask(api, method, path, {} if method in {"PATCH", "POST", "PUT"} else None)
    assert (status, answer["reason"]) == (403, "Forbidden")
    assert api.made[-1].status == 403


@pytest.mark.parametrize(("token", "status"), [("e", 403), ("nobody's", 401), ("", 401)])
def test_nobody_else_may_anything(api: ApiServer, token: str, status: int) -> None:
    for path in (f"{CORE}/secrets/paraply-engine", f"{CORE}/pods", SCALE):
        assert ask(api, "GET", path, token=token)[0] == status


def test_the_number_of_engines_is_set_by_the_scale(api: ApiServer) -> None:
    assert ask(api, "GET", SCALE)[1]["spec"] == {"replicas": 4}
    status, scale = ask(api, "PATCH", SCALE, {"spec": {"replicas": 7}})
    assert (status, scale["kind"], scale["spec"]) == (200, "Scale", {"replicas": 7})
    engines = api.objects.get("Deployment", "paraply", "paraply-engine")
    assert engines is not None and engines["spec"]["replicas"] == 7
    assert engines["spec"]["template"], "and nothing else of it is changed"


def test_what_is_no_patch_is_refused(api: ApiServer) -> None:
    assert ask(api, "PATCH", SCALE, {"spec": {}})[0] == 422
    assert ask(api, "PATCH", SCALE, {"spec": {"replicas": "many"}})[0] == 422
    assert ask(api, "PATCH", SCALE, {"spec": {"replicas": 2}}, kind="application/json")[0] == 415


def test_pods_are_listed_by_label_and_annotated(api: ApiServer) -> None:
    for name, role in (("a", "engine"), ("b", "engine"), ("c", "controller")):
        labels = {"app.kubernetes.io/name": role}
        api.objects.put({"kind": "Pod", "metadata": {"name": name, "namespace": "paraply", "labels": labels}})
    listed = ask(api, "GET", f"{CORE}/pods?labelSelector=app.kubernetes.io/name%3Dengine")[1]
    assert [pod["metadata"]["name"] for pod in listed["items"]] == ["a", "b"]
    cost = {"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-1"}}}
    assert ask(api, "PATCH", f"{CORE}/pods/a", cost)[0] == 200
    assert api.objects.list("Pod", "paraply")[0]["metadata"]["annotations"] == cost["metadata"]["annotations"]
