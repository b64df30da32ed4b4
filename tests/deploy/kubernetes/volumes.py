"""Volumes of a pod: folders of this machine, which a container mounts."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.kubernetes.manifests import Manifest
from deploy.kubernetes.objects import Objects
from deploy.kubernetes.quantities import number


class NotThere(Exception):
    """A volume names what is not there, and not optional: the pod cannot start."""


class Volumes:
    """Those of one pod. Files of Secrets and ConfigMaps follow their objects.

    Args:
        folder: Where they are, on this machine.
        spec: The pod's.
        objects: Where Secrets and ConfigMaps are.
        account: Files of the service account, where the pod gets its token.
    """

    def __init__(
        self, folder: Path, spec: Manifest, objects: Objects, namespace: str, account: dict[str, bytes]
    ) -> None:
        self._folder, self._objects, self._namespace, self._account = folder, objects, namespace, account
        self._volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        self._group = spec.get("securityContext", {}).get("fsGroup", 0)
        for name, volume in self._volumes.items():
            (folder / name).mkdir(parents=True)
            os.chown(folder / name, 0, self._group)
            # As kubelets do it: whoever is in the group may write, and what is written stays the group's.
            (folder / name).chmod(0o2777 if "emptyDir" in volume else 0o2755)
        if account:
            (folder / "account").mkdir()
        self.sync()

    def mounts(self, container: Manifest) -> Iterator[str]:
        """Arguments of `docker run` for a container of the pod."""
        for mount in container.get("volumeMounts", []):
            volume = self._volumes[mount["name"]]
            if volume.get("emptyDir", {}).get("medium") == "Memory":
                size = int(number(volume["emptyDir"].get("sizeLimit", "64Mi")))
                yield f"--mount=type=tmpfs,destination={mount['mountPath']},tmpfs-size={size},tmpfs-mode=1777"
            else:
                read_only = mount.get("readOnly") or "emptyDir" not in volume
                suffix = ",readonly" if read_only else ""
                yield f"--mount=type=bind,source={self._folder / mount['name']},destination={mount['mountPath']}{suffix}"
        if self._account:
            where = "/var/run/secrets/kubernetes.io/serviceaccount"
            yield f"--mount=type=bind,source={self._folder / 'account'},destination={where},readonly"

    def sync(self) -> None:
        """Writes what Secrets and ConfigMaps say now. Raises NotThere."""
        for name, volume in self._volumes.items():
            sources = (
                [volume] if "secret" in volume or "configMap" in volume else volume.get("projected", {}).get("sources")
            )
            if sources is not None:
                mode = next(
                    (v["defaultMode"] for v in volume.values() if isinstance(v, dict) and "defaultMode" in v), 0o644
                )
                files = {path: content for source in sources for path, content in self._files(source)}
                self._write(self._folder / name, files, mode)
        if self._account:
            self._write(self._folder / "account", self._account, 0o644)

    def _files(self, source: Manifest) -> Iterator[tuple[str, bytes]]:
        kind, key, name = (
            ("Secret", "secret", "secretName") if "secret" in source else ("ConfigMap", "configMap", "name")
        )
        wanted: dict[str, Any] = source[key]
        name = wanted.get(name) or wanted["name"]
        there = self._objects.get(kind, self._namespace, name)
        optional = wanted.get("optional", False)
        if there is None and not optional:
            raise NotThere(f"no {kind} {name}")
        data = (there or {}).get("data", {})
        content = {k: base64.b64decode(v) if kind == "Secret" else v.encode() for k, v in data.items()}
        for item in wanted.get("items") or [{"key": k, "path": k} for k in content]:
            if item["key"] in content:
                yield item["path"], content[item["key"]]
            elif not optional:
                raise NotThere(f"no {item['key']} in the {kind} {name}")

    def _write(self, folder: Path, files: dict[str, bytes], mode: int) -> None:
        """All at once: files are links into a folder that one link leads to."""
        data = folder / "..data"
        old = data.resolve() if data.is_symlink() else None
        if old and {file.name: file.read_bytes() for file in old.iterdir()} == files:
            return
        new = folder / f"..{len(list(folder.glob('..[0-9]*')))}-{os.urandom(4).hex()}"
        new.mkdir(mode=0o755)
        for path, content in files.items():
            (new / path).write_bytes(content)
            os.chown(new / path, 0, self._group)
            (new / path).chmod(mode | (0o040 if self._group else 0))
        (folder / "..next").symlink_to(new.name)
        (folder / "..next").rename(data)
        for path in files:
            if not (folder / path).is_symlink():
                (folder / path).symlink_to(f"..data/{path}")
        for link in folder.iterdir():
            if link.is_symlink() and link.name not in {*files, "..data"}:
                link.unlink()
        if old:
            shutil.rmtree(old)
