"""The manifests, read as `kubectl apply -f` and `-k` read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

#: An object as it is written.
Manifest = dict[str, Any]

_SUFFIXES = {".yaml", ".yml", ".json"}


def applied(folder: Path) -> list[Manifest]:
    """What `kubectl apply -f folder` applies, in its order: files by name, no others, no sub-folders."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.suffix in _SUFFIXES)
    return [manifest for file in files for manifest in documents(file)]


def documents(file: Path) -> Iterator[Manifest]:
    """The objects of a file."""
    return (document for document in yaml.safe_load_all(file.read_text()) if document is not None)


def kustomization(folder: Path) -> Manifest:
    """What `kubectl apply -k folder` begins with."""
    return dict(yaml.safe_load((folder / "Kustomization").read_text()))


def patches(folder: Path) -> list[dict[str, Any]]:
    """The patches of a component, with what each is for."""
    found = []
    for patch in kustomization(folder).get("patches", []):
        content = yaml.safe_load((folder / patch["path"]).read_text() if "path" in patch else patch["patch"])
        target = patch.get("target") or {"kind": content["kind"], "name": content["metadata"]["name"]}
        found.append({"target": target, "content": content})
    return found


def patch(manifests: list[Manifest], component: Path) -> None:
    """Changes manifests as a component does whose patches are lists of operations (RFC 6902)."""
    for found in patches(component):
        target = find(manifests, found["target"]["kind"], found["target"]["name"])
        for operation in found["content"]:
            *way, last = operation["path"].strip("/").split("/")
            place: Any = target
            for step in way:
                place = place[int(step)] if isinstance(place, list) else place[step]
            if operation["op"] == "remove":
                del place[last]
            elif last == "-":
                place.append(operation["value"])
            else:
                place[last] = operation["value"]


def name(manifest: Manifest) -> tuple[str, str]:
    """Kind and name."""
    return manifest["kind"], manifest["metadata"]["name"]


def find(manifests: list[Manifest], kind: str, wanted: str) -> Manifest:
    """The one of this kind and name."""
    (found,) = (manifest for manifest in manifests if name(manifest) == (kind, wanted))
    return found


def workloads(manifests: list[Manifest]) -> list[Manifest]:
    """Those that have pods."""
    return [manifest for manifest in manifests if manifest["kind"] in {"Deployment", "StatefulSet"}]


def pod(workload: Manifest) -> Manifest:
    """The spec of a workload's pods."""
    return dict(workload["spec"]["template"]["spec"])


def container(workload: Manifest) -> Manifest:
    """The only container of a workload's pods."""
    (only,) = pod(workload)["containers"]
    return dict(only)
