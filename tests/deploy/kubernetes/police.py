"""Sees to it that network policies hold for the pods of a kubelet, whoever comes, goes or moves."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from deploy.containers import Container, DockerError, inspect
from deploy.kubernetes.objects import Objects
from deploy.kubernetes.pods import Pod
from deploy.kubernetes.policies import Network, Place, Rules, enforce


class Police:
    """Knows everybody on a network.

    Args:
        objects: Where policies and namespaces are.
        network: Docker's name for it.
        node: The address that the kubelet's probes come from.
    """

    def __init__(self, objects: Objects, network: str, node: str) -> None:
        self._objects, self._network, self._node = objects, network, node
        #: Containers that nobody's manifests started, with namespace and labels.
        self.guests: list[tuple[Container, str, dict[str, str]]] = []
        #: What holds for a container, and in which process's network.
        self._enforced: dict[str, tuple[int, Rules]] = {}
        self._lock = threading.Lock()

    def look(self, pods: Iterable[Pod]) -> None:
        """Makes the rules anew, of these pods and of guests."""
        with self._lock:
            everybody = [(pod.container, pod.namespace, pod.labels, pod.ports) for pod in list(pods)]
            everybody += [(container, namespace, labels, {}) for container, namespace, labels in self.guests]
            # Who has ended is not there.
            there = [(who[0], *found) for who in everybody if (found := self._find(*who)) is not None]
            network = self._policies([place for _, _, place in there])
            for container, pid, place in there:
                rules = network.rules(place)
                if self._enforced.get(container.id) != (pid, rules):
                    enforce(pid, rules, self._node)
                    self._enforced[container.id] = pid, rules

    def _policies(self, places: list[Place]) -> Network:
        namespaces = {space["metadata"]["name"]: space["metadata"] for space in self._objects.list("Namespace", "")}
        policies = [policy for name in namespaces for policy in self._objects.list("NetworkPolicy", name)]
        return Network(policies, {name: space.get("labels", {}) for name, space in namespaces.items()}, places)

    def _find(
        self, container: Container, namespace: str, labels: dict[str, str], ports: dict[str, int]
    ) -> tuple[int, Place] | None:
        try:
            known = inspect(container.id)
        except DockerError:
            return None
        ip = known["NetworkSettings"]["Networks"].get(self._network, {}).get("IPAddress", "")
        pid = known["State"]["Pid"]
        return (pid, Place(namespace, labels, ip, ports)) if pid else None
