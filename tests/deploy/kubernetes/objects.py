"""The objects of an API server, each with a version that grows with every change of anything."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

from deploy.kubernetes.manifests import Manifest

#: Kind, namespace, name.
Key = tuple[str, str, str]


class Conflict(Exception):
    """The object is another by now than the one that was to be changed."""


class Objects:
    """Objects by kind and name. Everybody gets copies."""

    def __init__(self) -> None:
        self._objects: dict[Key, Manifest] = {}
        self._version = 0
        self._lock = threading.RLock()
        #: Told of each change, with the object as it is now.
        self.watchers: list[Callable[[Manifest], None]] = []

    def put(self, manifest: Manifest) -> Manifest:
        """Adds an object, or replaces it."""
        with self._lock:
            stored = self._store(copy.deepcopy(manifest))
        return self._told(stored)

    def apply(self, manifest: Manifest) -> Manifest:
        """What `kubectl apply` does with an object that has lost no field since it was applied last: fields that the
        manifest does not name stay as they are."""
        with self._lock:
            there = self.get(*_key(manifest))
            stored = self._store(merged(there, manifest) if there else copy.deepcopy(manifest))
        return self._told(stored)

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """The object, if it is there."""
        with self._lock:
            return copy.deepcopy(self._objects.get((kind, namespace, name)))

    def list(self, kind: str, namespace: str, labels: dict[str, str] | None = None) -> list[Manifest]:
        """All of a kind that have these labels."""
        with self._lock:
            found = [o for (of, where, _), o in sorted(self._objects.items()) if (of, where) == (kind, namespace)]
            wanted = (labels or {}).items()
            return copy.deepcopy([o for o in found if wanted <= o["metadata"].get("labels", {}).items()])

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Removes the object, if it is there."""
        with self._lock:
            self._objects.pop((kind, namespace, name), None)

    def remove_namespace(self, name: str) -> None:
        """Removes the namespace and all that is in it but pods, which have their grace. Watchers hear that it terminates."""
        with self._lock:
            there = self.get("Namespace", "", name)
            gone = {key for key in self._objects if key[1] == name and key[0] != "Pod"} | {("Namespace", "", name)}
            self._objects = {key: held for key, held in self._objects.items() if key not in gone}
        if there is not None:
            self._told(there | {"status": {"phase": "Terminating"}})

    def patch(self, kind: str, namespace: str, name: str, patch: Manifest) -> Manifest | None:
        """Merges a patch (RFC 7386); None if there is no such object. Raises Conflict."""
        with self._lock:
            there = self.get(kind, namespace, name)
            if there is None:
                return None
            precondition = patch.get("metadata", {}).get("resourceVersion")
            if precondition not in (None, there["metadata"]["resourceVersion"]):
                raise Conflict(f"resourceVersion is {there['metadata']['resourceVersion']}, not {precondition}")
            stored = self._store(merged(there, patch))
        return self._told(stored)

    def _store(self, manifest: Manifest) -> Manifest:
        self._version += 1
        manifest["metadata"]["resourceVersion"] = str(self._version)
        self._objects[_key(manifest)] = manifest
        return copy.deepcopy(manifest)

    def _told(self, manifest: Manifest) -> Manifest:
        """Without the lock: who is told may ask for other objects, and wait for others who do."""
        for watcher in list(self.watchers):
            watcher(copy.deepcopy(manifest))
        return manifest


def _key(manifest: Manifest) -> Key:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
