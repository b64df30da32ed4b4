"""A pod: one container, as a kubelet starts it, looks after it and ends it."""

from __future__ import annotations

import contextlib
import math
import re
import threading
import time
from dataclasses import dataclass
from typing import Protocol

from deploy.containers import Container, DockerError, docker, inspect
from deploy.kubernetes.manifests import Manifest
from deploy.kubernetes.probes import Probe
from deploy.kubernetes.quantities import number
from deploy.kubernetes.volumes import Volumes

#: Seconds between looks at a container.
LOOK = 0.1


class Told(Protocol):
    """Hears of a pod."""

    def changed(self, pod: Pod) -> None:
        """It is ready now, or not any more."""

    def moved(self, pod: Pod) -> None:
        """It has a network of its own since a moment ago, or another address."""


@dataclass
class Place:
    """Where a pod runs.

    Args:
        network: Docker's name for it.
        names: By which others reach the pod.
        environment: What every container gets.
    """

    network: str
    names: list[str]
    environment: dict[str, str]


class Pod:
    """Runs until it is deleted: a container that ends is started again."""

    def __init__(self, name: str, manifest: Manifest, volumes: Volumes, place: Place, told: Told) -> None:
        self.name, self.manifest, self.volumes = name, manifest, volumes
        self.namespace, self.labels = manifest["metadata"]["namespace"], manifest["metadata"]["labels"]
        self.spec = manifest["spec"]
        (self._spec,) = self.spec["containers"]
        #: Those that have names.
        self.ports = {port["name"]: port["containerPort"] for port in self._spec.get("ports", []) if "name" in port}
        self._place, self._told = place, told
        self.ready, self.restarts = False, 0
        self.grace = float(self.spec.get("terminationGracePeriodSeconds", 30))
        self._deleted = threading.Event()
        self.container = Container.start(self._spec["image"], *self._arguments(), options=tuple(self._options()))
        self._thread = threading.Thread(target=self._look_after, name=name)
        self._thread.start()

    @property
    def ip(self) -> str:
        """Empty while it is cut off."""
        networks = inspect(self.container.id)["NetworkSettings"]["Networks"]
        return str(networks.get(self._place.network, {}).get("IPAddress", ""))

    def delete(self) -> int:
        """SIGTERM, the grace, SIGKILL; the exit status."""
        self._deleted.set()
        self._thread.join()
        self._be(False)
        status = self._end()
        self.container.remove()
        return status

    def _environment(self) -> dict[str, str]:
        fields = {
            "metadata.name": self.name,
            "metadata.namespace": self.namespace,
            "spec.nodeName": "node",
        }
        environment = dict(self._place.environment)
        for entry in self._spec.get("env", []):
            source = entry.get("valueFrom", {})
            if "fieldRef" in source:
                environment[entry["name"]] = fields[source["fieldRef"]["fieldPath"]]
            elif "resourceFieldRef" in source:
                kind, _, resource = source["resourceFieldRef"]["resource"].partition(".")
                environment[entry["name"]] = str(math.ceil(number(self._spec["resources"][kind][resource])))
            else:
                environment[entry["name"]] = entry["value"]
        return environment

    def _arguments(self) -> list[str]:
        environment = self._environment()
        expand = re.compile(r"\$\((\w+)\)")
        # Docker takes the first word of a command as an option, and the rest before the arguments.
        arguments = [*self._spec.get("command", [])[1:], *self._spec.get("args", [])]
        return [expand.sub(lambda found: environment.get(found[1], found[0]), argument) for argument in arguments]

    def _options(self) -> list[str]:
        """What the pod's and the container's specs ask for, in Docker's words."""
        pod, security = self.spec["securityContext"], self._spec["securityContext"]
        options = ["--hostname", self.name, "--network", self._place.network]
        options += [part for name in self._place.names for part in ("--network-alias", name)]
        options += ["--user", f"{pod['runAsUser']}:{pod['runAsGroup']}", "--group-add", str(pod["fsGroup"])]
        options += ["--label", "paraply-test"]
        if self.spec.get("shareProcessNamespace"):
            # Its first process is the pause container's, which ends orphans.
            options.append("--init")
        if "command" in self._spec:
            options += ["--entrypoint", self._spec["command"][0]]
        if security["readOnlyRootFilesystem"]:
            options.append("--read-only")
        if not security["allowPrivilegeEscalation"]:
            options += ["--security-opt", "no-new-privileges"]
        options += [part for capability in security["capabilities"]["drop"] for part in ("--cap-drop", capability)]
        options += ["--memory", str(int(number(self._spec["resources"]["limits"]["memory"])))]
        options += [part for name, value in self._environment().items() for part in ("--env", f"{name}={value}")]
        return [*options, *self.volumes.mounts(self._spec)]

    def _look_after(self) -> None:
        started, at = time.monotonic(), ""
        probes = {
            kind: Probe(self._spec.get(f"{kind}Probe"), self._spec) for kind in ("startup", "readiness", "liveness")
        }
        while not self._deleted.wait(LOOK):
            failed = False
            if self.container.state["Running"]:
                now, ip = time.monotonic() - started, self.ip
                if ip != at:
                    at = ip
                    self._told.moved(self)
                failed = probes["startup"].has_failed(now, ip)
                if probes["startup"].succeeded:
                    probes["readiness"].has_failed(now, ip)
                    failed = probes["liveness"].has_failed(now, ip)
                    self._be(probes["readiness"].succeeded)
            if failed:
                self._end()
            if failed or not self.container.state["Running"]:
                self._be(False)
                self.restarts += 1
                docker("start", self.container.id)
                started, at = time.monotonic(), ""
                for probe in probes.values():
                    probe.reset()

    def _be(self, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            self._told.changed(self)

    def _end(self) -> int:
        try:
            status, _ = self.container.terminate(self.grace)
            return status
        except AssertionError:
            # It may have ended meanwhile.
            with contextlib.suppress(DockerError):
                docker("kill", self.container.id)
        except DockerError:
            # It has ended by itself.
            pass
        return int(docker("wait", self.container.id))
