"""What people have of the cluster: certificates of its API server, a kubeconfig, and clients of Paraply in it."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from deploy.containers import HARDENED, Container, image
from deploy.kubernetes.kubelet import Kubelet

#: What the network policies know clients by.
CLIENT: Mapping[str, str] = MappingProxyType({"paraply-client": "true"})


def api_certificate(folder: Path, address: str) -> tuple[ssl.SSLContext, bytes]:
    """What the API server shows at an address, and whom to trust it by."""
    program = [str(Path(sys.executable).parent / "paraply"), "credentials", str(folder), f"--host={address}"]
    subprocess.run(program, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    return context, (folder / "ca.pem").read_bytes()


def kubeconfig(kubelet: Kubelet) -> str:
    """As `kubectl config view --raw` shows it."""
    authority = base64.b64encode(kubelet.authority).decode()
    server = f"https://{kubelet.api.address}:{kubelet.api.port}"
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "person"}}],
            "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority-data": authority}}],
            "users": [{"name": "person", "user": {"token": "token-of-a-person"}}],
        }
    )


def content(kubelet: Kubelet, secret: str) -> dict[str, bytes]:
    """What is in a Secret."""
    there = kubelet.api.objects.get("Secret", "paraply", secret)
    assert there is not None
    return {key: base64.b64decode(value) for key, value in there.get("data", {}).items()}


def client_credentials(kubelet: Kubelet, folder: Path) -> Path:
    """What a client's pod would mount, written into a folder."""
    for name, data in content(kubelet, "paraply-client").items():
        (folder / name).write_bytes(data)
    # Its user is not this one.
    for file in (folder, *folder.iterdir()):
        os.chown(file, 65532, 65532)
    return folder


def client(kubelet: Kubelet, credentials: Path, code: str, *more: str, labels: Mapping[str, str] = CLIENT) -> Container:
    """A pod of a client's own would see the same."""
    options = (*HARDENED, "--network", kubelet.network, "--volume", f"{credentials}:/credentials:ro", *more)
    options += ("--env", "PARAPLY_CONNECTION=/credentials/connection.json")
    started = Container.start(image("engine"), "-c", code, options=(*options, "--entrypoint", "python"))
    kubelet.join(started, dict(labels))
    return started
