"""The cost of deleting an engine's pod, which autoscalers go by: kept current, and seldom written."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import programs
from deploy.containers import ROOT
from deploy.kubernetes import manifests
from deploy.kubernetes.kubelet import COST, Kubelet
from deploy.kubernetes.people import api_certificate, client, client_credentials

#: Seconds that lie between two writings.
PACE = 10


@pytest.fixture
def kubelet(engine: None, tmp_path: Path) -> Iterator[Kubelet]:
    """As components/autoscaling has the controller, with two engines."""
    if os.geteuid() != 0:
        pytest.skip("files of Secrets are root's")
    applied = manifests.applied(ROOT / "deploy/k8s")
    manifests.patch(applied, ROOT / "deploy/k8s/components/autoscaling")
    manifests.find(applied, "Deployment", "paraply-engine")["spec"]["replicas"] = 2
    kubelet = Kubelet(applied, tls=lambda address: api_certificate(tmp_path, address))
    try:
        kubelet.wait_until_ready("paraply-engine", 2)
        yield kubelet
    finally:
        kubelet.close()


def cost(kubelet: Kubelet, pod: str) -> int:
    there = kubelet.api.objects.get("Pod", "paraply", pod)
    assert there is not None
    return int(there["metadata"].get("annotations", {}).get(COST, 0))


def wait_for_cost(kubelet: Kubelet, pod: str, wanted: int) -> None:
    end = time.monotonic() + 5 * PACE
    while (now := cost(kubelet, pod)) != wanted:
        assert time.monotonic() < end, (now, wanted)
        time.sleep(0.1)


@pytest.mark.timeout(200)
def test_a_busy_engine_costs_more_while_it_is_busy(kubelet: Kubelet, tmp_path: Path) -> None:
    (tmp_path / "of-client").mkdir()
    begun = time.monotonic()
    busy = client(kubelet, client_credentials(kubelet, tmp_path / "of-client"), programs.BUSY)
    try:
        busy.wait_for_log("host")
        host = busy.logs().split()[1]
        wait_for_cost(kubelet, host, 1)
        assert "all there" in busy.ends(60)
    finally:
        busy.remove()
    wait_for_cost(kubelet, host, 0)
    looked = [made for made in kubelet.api.made if made.call.verb == "list" and made.call.resource == "pods"]
    most = 2 + (time.monotonic() - begun) / PACE
    assert len([made for made in looked if made.when >= begun]) <= most, "however often engines changed"
