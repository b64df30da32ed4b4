"""Probes, as a kubelet acts on them."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import grpc

from deploy.kubernetes.manifests import Manifest

#: HealthCheckResponse with the status SERVING.
_SERVING = b"\x08\x01"


class Probe:
    """One probe of a container. None succeeds at once.

    Args:
        spec: The probe, of the container.
        container: For names of ports.
    """

    def __init__(self, spec: Manifest | None, container: Manifest) -> None:
        self._spec = spec
        self._ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        self.reset()

    def reset(self) -> None:
        """The container has started anew."""
        self.succeeded = self._spec is None
        self._failures = 0
        self._due = float(self._spec.get("initialDelaySeconds", 0)) if self._spec else 0.0

    def has_failed(self, now: float, ip: str) -> bool:
        """Asks if it is time to, by the seconds since the start; whether it has failed too often in a row."""
        if self._spec is None or now < self._due:
            return False
        self._due = now + self._spec.get("periodSeconds", 10)
        if self._ask(ip):
            self._failures, self.succeeded = 0, True
            return False
        self._failures += 1
        if self._failures < self._spec.get("failureThreshold", 3):
            return False
        self.succeeded = False
        return True

    def _ask(self, ip: str) -> bool:
        assert self._spec is not None
        seconds = self._spec.get("timeoutSeconds", 1)
        if not ip:
            return False
        if "grpc" in self._spec:
            return _serves(f"{ip}:{self._spec['grpc']['port']}", self._spec["grpc"].get("service", ""), seconds)
        get: dict[str, Any] = self._spec["httpGet"]
        url = f"http://{ip}:{self._ports.get(get['port'], get['port'])}{get['path']}"
        try:
            with urllib.request.urlopen(url, timeout=seconds) as answer:
                return bool(200 <= answer.status < 400)
        except (urllib.error.URLError, OSError):
            return False


def _serves(address: str, service: str, seconds: float) -> bool:
    request = bytes([0x0A, len(service)]) + service.encode() if service else b""
    with grpc.insecure_channel(address) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            return bool(check(request, timeout=seconds) == _SERVING)
        except grpc.RpcError:
            return False
