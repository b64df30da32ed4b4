"""deploy/k8s: valid, in the right order, and with no more rights than it takes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from deploy.containers import ROOT, version
from deploy.kubernetes import manifests
from deploy.kubernetes.manifests import Manifest

BASE = ROOT / "deploy/k8s"
ALL = manifests.applied(BASE)
COMPONENTS = sorted((BASE / "components").iterdir())
OVERLAYS = sorted((BASE / "overlays").iterdir())
#: Kinds whose schemas come with an operator, and are in components only.
OF_OPERATORS = ("cert-manager.io/", "keda.sh/", "monitoring.coreos.com/", "gateway.networking.k8s.io/")
OLDEST, NEWEST = "1.29", ".".join(kubernetes_validate.latest_version().split(".")[:2])


def ids(manifest: Manifest) -> str:
    return "/".join(manifests.name(manifest))


@pytest.mark.parametrize("kubernetes", [OLDEST, NEWEST])
@pytest.mark.parametrize("manifest", ALL, ids=ids)
def test_it_is_valid_to_the_letter(manifest: Manifest, kubernetes: str) -> None:
    assert kubernetes_validate.validate(manifest, kubernetes, strict=True) == kubernetes


@pytest.mark.parametrize("kubernetes", [OLDEST, NEWEST])
@pytest.mark.parametrize("component", COMPONENTS, ids=lambda folder: folder.name)
def test_what_a_component_adds_is_valid_too(component: Path, kubernetes: str) -> None:
    for resource in manifests.kustomization(component).get("resources", []):
        for manifest in manifests.documents(component / resource):
            if not manifest["apiVersion"].startswith(OF_OPERATORS):
                kubernetes_validate.validate(manifest, kubernetes, strict=True)


def test_the_namespace_is_first_and_everything_is_in_it() -> None:
    assert manifests.name(ALL[0]) == ("Namespace", "paraply")
    assert {manifest["metadata"].get("namespace") for manifest in ALL[1:]} == {"paraply"}


def test_nothing_in_the_base_needs_an_operator_or_a_cloud() -> None:
    groups = {manifest["apiVersion"].rpartition("/")[0] for manifest in ALL}
    assert groups == {"", "apps", "policy", "rbac.authorization.k8s.io", "networking.k8s.io"}
    for manifest in ALL:
        if manifest["kind"] == "Service":
            assert manifest["spec"].get("type", "ClusterIP") == "ClusterIP"
        assert manifest["kind"] != "PersistentVolumeClaim" and "volumeClaimTemplates" not in manifest.get("spec", {})


def test_what_is_referred_to_was_applied_before() -> None:
    there: set[tuple[str, str]] = set()
    for manifest in ALL:
        if manifest["kind"] == "RoleBinding":
            assert ("Role", manifest["roleRef"]["name"]) in there
            assert all((subject["kind"], subject["name"]) in there for subject in manifest["subjects"])
        elif manifest in manifests.workloads(ALL):
            pod = manifests.pod(manifest)
            wanted = {("ServiceAccount", pod["serviceAccountName"])}
            for volume in pod["volumes"]:
                if "secret" in volume:
                    wanted.add(("Secret", volume["secret"]["secretName"]))
                if "configMap" in volume:
                    wanted.add(("ConfigMap", volume["configMap"]["name"]))
            if manifest["kind"] == "StatefulSet":
                wanted.add(("Service", manifest["spec"]["serviceName"]))
            assert wanted <= there
        there.add(manifests.name(manifest))


def test_kustomize_applies_the_same_files() -> None:
    listed = manifests.kustomization(BASE)["resources"]
    assert listed == sorted(file.name for file in BASE.glob("*.yaml"))
    assert not any((BASE / name).exists() for name in ("kustomization.yaml", "kustomization.yml")), "-f would apply it"


@pytest.mark.parametrize("folder", [*COMPONENTS, *OVERLAYS], ids=lambda folder: folder.name)
def test_what_a_kustomization_names_exists(folder: Path) -> None:
    content = manifests.kustomization(folder)
    expected = "Component" if folder in COMPONENTS else "Kustomization"
    assert content["kind"] == expected
    named = [*content.get("resources", []), *content.get("components", [])]
    named += [patch["path"] for patch in content.get("patches", []) if "path" in patch]
    assert named
    for path in named:
        there = folder / path
        assert there.is_file() or (there / "Kustomization").is_file(), path
    files = {file.name for file in folder.iterdir()} - {"Kustomization"}
    assert files <= set(named), "a file that nothing names"
    for patch in manifests.patches(folder):
        target = manifests.find(ALL, patch["target"]["kind"], patch["target"]["name"])
        if isinstance(patch["content"], list):
            for operation in patch["content"]:
                # One that adds to the end of a list names the list.
                assert at(target, operation["path"].removesuffix("/-")) is not None, operation["path"]
        else:
            fits(patch["content"]["spec"], target["spec"])
    for image in content.get("images", []):
        assert image["name"] in {
            manifests.container(workload)["image"].split(":")[0] for workload in manifests.workloads(ALL)
        }


def at(manifest: Any, pointer: str) -> Any:
    """What a JSON pointer points to; its last step may be the place behind the last of a list."""
    for step in pointer.removesuffix("/-").strip("/").split("/"):
        manifest = manifest[int(step)] if isinstance(manifest, list) else manifest[step]
    return manifest


def fits(patch: Any, target: Any) -> None:
    """Named containers are those that are there: of a misspelt one, a strategic merge makes a second."""
    containers = patch.get("template", {}).get("spec", {}).get("containers", [])
    names = {container["name"] for container in target["template"]["spec"]["containers"]}
    assert {container["name"] for container in containers} <= names


def test_the_patch_of_the_services_credentials_replaces_that_volume() -> None:
    for kind, name in (("Deployment", "paraply-controller"), ("StatefulSet", "paraply-scheduler")):
        first = manifests.pod(manifests.find(ALL, kind, name))["volumes"][0]
        assert first["name"] == "credentials"


def test_keda_reaches_the_scaler_by_a_name_that_the_certificate_is_for() -> None:
    added = list(manifests.documents(BASE / "components/keda/scaled-object.yaml"))
    scaled = manifests.find(added, "ScaledObject", "paraply-engine")["spec"]
    host, port = scaled["triggers"][0]["metadata"]["scalerAddress"].split(":")
    container = manifests.container(manifests.find(ALL, "Deployment", "paraply-controller"))
    assert any(argument.startswith(f"--client-endpoint=tls:{host}:") for argument in container["args"])
    operations = [operation for patch in manifests.patches(BASE / "components/keda") for operation in patch["content"]]
    patched = [operation["value"] for operation in operations if operation["op"] == "add"]
    assert f"--scaler=0.0.0.0:{port}" in patched
    assert {"name": "scaler", "containerPort": int(port)} in patched
    assert {"name": "scaler", "port": int(port), "targetPort": "scaler"} in patched


@pytest.mark.parametrize("workload", manifests.workloads(ALL), ids=ids)
def test_pods_keep_to_the_restricted_standard(workload: Manifest) -> None:
    pod, container = manifests.pod(workload), manifests.container(workload)
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (65532, 65532, 65532)
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"secret", "configMap", "emptyDir", "projected", "downwardAPI"}
    assert container["resources"]["requests"] and container["resources"]["limits"]["memory"]
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["image"].endswith(f":{version()}")
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize("workload", manifests.workloads(ALL), ids=ids)
def test_pods_have_probes_on_the_admin_port(workload: Manifest) -> None:
    container = manifests.container(workload)
    (admin,) = (port["containerPort"] for port in container["ports"] if port["name"] == "admin")
    assert container["readinessProbe"]["grpc"] == {"port": admin}
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe].get("grpc") == {"port": admin} or container[probe]["httpGet"]["port"] == "admin"
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 300, "credentials may be late"


def test_only_the_controller_has_a_token() -> None:
    tokens = {
        workload["metadata"]["name"]: manifests.pod(workload)["automountServiceAccountToken"]
        for workload in manifests.workloads(ALL)
    }
    assert tokens == {"paraply-controller": True, "paraply-scheduler": False, "paraply-engine": False}
    assert all(m["automountServiceAccountToken"] is False for m in ALL if m["kind"] == "ServiceAccount")


def test_secrets_have_no_data() -> None:
    secrets = [manifest for manifest in ALL if manifest["kind"] == "Secret"]
    assert [secret["metadata"]["name"] for secret in secrets] == ["paraply-ca", "paraply-engine", "paraply-client"]
    assert all(secret.keys() == {"apiVersion", "kind", "metadata", "type"} for secret in secrets)


def test_engines_see_their_own_secret_and_no_other() -> None:
    volumes = manifests.pod(manifests.find(ALL, "Deployment", "paraply-engine"))["volumes"]
    assert [volume["secret"]["secretName"] for volume in volumes if "secret" in volume] == ["paraply-engine"]


@pytest.mark.parametrize("role", ["controller", "scheduler"])
def test_services_do_not_see_the_key_of_the_authority(role: str) -> None:
    workload = manifests.find(ALL, "Deployment" if role == "controller" else "StatefulSet", f"paraply-{role}")
    (secret,) = (volume["secret"] for volume in manifests.pod(workload)["volumes"] if "secret" in volume)
    given = {item["path"] for item in secret["items"]}
    assert "ca-key.pem" not in given
    settings = tomllib.loads(manifests.find(ALL, "ConfigMap", "paraply-services")["data"]["services.toml"])[role]
    wanted = {Path(value) for key, value in settings.items() if key.endswith("_file")}
    assert wanted == {Path("/credentials") / file for file in given}


def test_a_drain_takes_at_most_a_quarter_of_the_engines() -> None:
    budgets = {m["metadata"]["name"]: m["spec"]["maxUnavailable"] for m in ALL if m["kind"] == "PodDisruptionBudget"}
    assert budgets == {"paraply-controller": 1, "paraply-scheduler": 1, "paraply-engine": "25%"}


def test_the_grace_of_engines_leaves_time_to_give_work_back() -> None:
    workload = manifests.find(ALL, "Deployment", "paraply-engine")
    (grace,) = (a for a in manifests.container(workload)["args"] if a.startswith("--stop-grace="))
    assert float(grace.partition("=")[2]) == manifests.pod(workload)["terminationGracePeriodSeconds"] - 5


def test_policies_and_budgets_and_services_select_the_pods_they_are_for() -> None:
    labels = [workload["spec"]["template"]["metadata"]["labels"] for workload in manifests.workloads(ALL)]
    for workload in manifests.workloads(ALL):
        assert workload["spec"]["selector"]["matchLabels"] == workload["spec"]["template"]["metadata"]["labels"]
    for manifest in ALL:
        selector: dict[str, str] | None = None
        if manifest["kind"] == "Service":
            selector = manifest["spec"]["selector"]
        elif manifest["kind"] == "PodDisruptionBudget":
            selector = manifest["spec"]["selector"]["matchLabels"]
        if selector is not None:
            assert sum(selector.items() <= of_pod.items() for of_pod in labels) == 1, manifests.name(manifest)


def test_engines_accept_nothing() -> None:
    policy = manifests.find(ALL, "NetworkPolicy", "paraply-engine")["spec"]
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "engine"
    assert (policy["policyTypes"], policy["ingress"]) == (["Ingress"], [])
    everything = manifests.find(ALL, "NetworkPolicy", "paraply-nothing")["spec"]
    assert everything == {"podSelector": {}, "policyTypes": ["Ingress"]}


def test_a_misspelt_key_is_found() -> None:
    wrong = {**ALL[0], "speck": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, OLDEST, strict=True)
