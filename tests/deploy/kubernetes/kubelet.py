"""A cluster of one node for the manifests as they are: what its controllers and its kubelet do, done with Docker.

Pods are on one network, and each Service is a name of the pods that it selects, ready or not. What is not built: Jobs,
several containers in a pod, limits of anything but memory.
"""

from __future__ import annotations

import secrets
import shutil
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from deploy.containers import Container, docker
from deploy.kubernetes import manifests
from deploy.kubernetes.api_server import ApiServer
from deploy.kubernetes.manifests import Manifest
from deploy.kubernetes.objects import Objects
from deploy.kubernetes.pods import Place, Pod
from deploy.kubernetes.police import Police
from deploy.kubernetes.volumes import Volumes

#: The annotation that says what deleting a pod costs.
COST = "controller.kubernetes.io/pod-deletion-cost"


class Kubelet:
    """Runs what is applied until it is closed.

    Args:
        applied: The manifests.
        objects: Where the API server keeps what there is.
        tls: Makes what the API server shows at an address, and what pods are told to trust it by, PEM.
    """

    def __init__(
        self,
        applied: list[Manifest],
        *,
        tls: Callable[[str], tuple[ssl.SSLContext, bytes]] | None = None,
        objects: Objects | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="paraply-kubelet-")
        self._lock = threading.RLock()
        self.pods: dict[str, Pod] = {}
        #: Exit statuses of pods that were deleted, by name.
        self.ended: dict[str, int] = {}
        self.network = f"paraply-{secrets.token_hex(4)}"
        docker("network", "create", "--label", "paraply-test", self.network)
        gateway = docker("network", "inspect", self.network, "--format", "{{(index .IPAM.Config 0).Gateway}}")
        context, self.authority = tls(gateway) if tls else (None, b"")
        self.api = ApiServer(applied, address=gateway, tls=context, objects=objects or Objects())
        self.api.address_of = lambda name: self.pods[name].ip
        self._police = Police(self.api.objects, self.network, gateway)
        try:
            self.apply(applied)
        except BaseException:
            self.close()
            raise
        self.api.objects.watchers.append(self._heard)
        # What pods have changed since they were started.
        self._sync()

    def apply(self, applied: list[Manifest]) -> None:
        """What `kubectl apply` does, in this order."""
        for manifest in applied:
            self.api.objects.apply(manifest)
        self.reconcile()

    def of(self, workload: str) -> list[Pod]:
        """The pods of a workload."""
        return [pod for name, pod in sorted(self.pods.items()) if name.rpartition("-")[0] == workload]

    def wait_until_ready(self, workload: str, pods: int, seconds: float = 60) -> None:
        """Until so many pods of a workload, and no others, are ready."""
        end = time.monotonic() + seconds
        while [pod.ready for pod in self.of(workload)] != [True] * pods:
            if time.monotonic() > end:
                logs = "\n".join(f"{pod.name}:\n{pod.container.logs()}" for pod in self.of(workload))
                raise AssertionError(f"{workload} is not ready after {seconds} s\n{logs}")
            time.sleep(0.1)

    def reconcile(self) -> None:
        """Starts and deletes pods until there are as many as workloads want."""
        with self._lock:
            objects = self.api.objects
            for kind in ("Deployment", "StatefulSet"):
                for workload in (w for space in self._namespaces() for w in objects.list(kind, space)):
                    name, wanted = workload["metadata"]["name"], workload["spec"].get("replicas", 1)
                    there = self.of(name)
                    for _ in range(wanted - len(there)):
                        self._start(workload)
                    victims = sorted(there, key=self._cost)[: max(0, len(there) - wanted)]
                    threads = [threading.Thread(target=self.delete, args=(pod.name,)) for pod in victims]
                    # All at once, and each for as long as its grace allows.
                    for thread in threads:
                        thread.start()
                    for thread in threads:
                        thread.join()
        self._police.look(self.pods.values())

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """What `kubectl delete` does with an object that has no pods."""
        self.api.objects.remove(kind, namespace, name)
        self._police.look(self.pods.values())

    def join(self, container: Container, labels: dict[str, str], namespace: str = "default") -> None:
        """Has a container on this network count as a pod that somebody else runs."""
        self._police.guests.append((container, namespace, labels))
        self._police.look(self.pods.values())

    def delete(self, name: str) -> int:
        """Ends a pod, as a drain of its node would; its exit status. `reconcile` starts another."""
        pod = self.pods[name]
        status = pod.delete()
        self.ended[name] = status
        del self.pods[name]
        # A pod of the same name is another, with nothing of this one's.
        shutil.rmtree(Path(self._folder.name) / name)
        self.api.objects.remove("Pod", pod.namespace, name)
        self._police.look(self.pods.values())
        return status

    def changed(self, pod: Pod) -> None:
        """Told by pods."""
        condition = {"type": "Ready", "status": str(pod.ready)}
        status = {"phase": "Running", "conditions": [condition]}
        self.api.objects.patch("Pod", pod.namespace, pod.name, {"status": status})

    def moved(self, _: Pod) -> None:
        """Told by pods."""
        self._police.look(self.pods.values())

    def close(self) -> None:
        """Ends everything at once."""
        self.api.objects.watchers.clear()
        for pod in self.pods.values():
            pod.grace = min(pod.grace, 1)
        for name in list(self.pods):
            self.delete(name)
        self.api.close()
        docker("network", "rm", self.network)
        self._folder.cleanup()

    def _heard(self, manifest: Manifest) -> None:
        if manifest["kind"] in {"NetworkPolicy", "Namespace"}:
            self._police.look(self.pods.values())
        if manifest["kind"] in {"Secret", "ConfigMap"}:
            self._sync()
        elif manifest["kind"] == "Namespace" and manifest.get("status", {}).get("phase") == "Terminating":
            threading.Thread(target=self._delete_all, args=(manifest["metadata"]["name"],)).start()
        elif manifest["kind"] in {"Deployment", "StatefulSet"}:
            # Whoever changed it does not wait for the pods.
            threading.Thread(target=self.reconcile).start()

    def _delete_all(self, namespace: str) -> None:
        with self._lock:
            names = [name for name, pod in self.pods.items() if pod.manifest["metadata"]["namespace"] == namespace]
            threads = [threading.Thread(target=self.delete, args=(name,)) for name in names]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _sync(self) -> None:
        with self._lock:
            for pod in self.pods.values():
                pod.volumes.sync()

    def _namespaces(self) -> list[str]:
        return [manifest["metadata"]["name"] for manifest in self.api.objects.list("Namespace", "")]

    def _cost(self, pod: Pod) -> tuple[bool, int]:
        known = self.api.objects.get("Pod", pod.namespace, pod.name)
        annotations = (known or {}).get("metadata", {}).get("annotations", {})
        return pod.ready, int(annotations.get(COST, 0))

    def _start(self, workload: Manifest) -> None:
        namespace, of = workload["metadata"]["namespace"], workload["metadata"]["name"]
        suffix = "0" if workload["kind"] == "StatefulSet" else secrets.token_hex(3)
        name, spec = f"{of}-{suffix}", manifests.pod(workload)
        metadata = {"name": name, "namespace": namespace, "labels": workload["spec"]["template"]["metadata"]["labels"]}
        manifest = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec}
        account: dict[str, bytes] = {}
        environment = {"KUBERNETES_SERVICE_HOST": self.api.address, "KUBERNETES_SERVICE_PORT": str(self.api.port)}
        if spec["automountServiceAccountToken"]:
            token = secrets.token_hex(16)
            self.api.accounts[token] = spec["serviceAccountName"]
            account = {"token": token.encode(), "ca.crt": self.authority, "namespace": namespace.encode()}
        self.api.objects.put(manifest)
        volumes = Volumes(Path(self._folder.name) / name, spec, self.api.objects, namespace, account)
        place = Place(self.network, self._names(namespace, metadata["labels"]), environment)
        self.pods[name] = Pod(name, manifest, volumes, place, self)

    def _names(self, namespace: str, labels: dict[str, str]) -> list[str]:
        services = self.api.objects.list("Service", namespace)
        selected = [s["metadata"]["name"] for s in services if s["spec"]["selector"].items() <= labels.items()]
        suffixes = ("", f".{namespace}", f".{namespace}.svc", f".{namespace}.svc.cluster.local")
        return [f"{service}{suffix}" for service in selected for suffix in suffixes]
