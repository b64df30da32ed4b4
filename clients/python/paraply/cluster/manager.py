"""The clusters that there are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from paraply._connection import home
from paraply.cluster import _control
from paraply.cluster._record import Record
from paraply.cluster.cluster import Cluster


class ClusterManager:
    """Clusters by name. The key of one is `profile:cluster_id`."""

    def __init__(self) -> None:
        self.clusters: dict[str, Cluster] = {}

    def load_clusters(
        self,
        *,
        profile: str | None = None,
        profiles: Iterable[str] | None = None,
        profile_dir: str | os.PathLike[str] | None = None,
        profile_dirs: Iterable[str | os.PathLike[str]] | None = None,
        init_default_clusters: bool = False,
    ) -> dict[str, Cluster]:
        """Looks for clusters that run, in the profiles given or in all, and forgets those that do not any more.

        Args:
            init_default_clusters: Whether each profile has at least a cluster, not started, called `default`.
        """
        folders = list(_profile_folders(profile, profiles, profile_dir, profile_dirs))
        self.clusters = {key: cluster for key, cluster in self.clusters.items() if not _has_stopped(cluster)}
        for folder in folders:
            for file in folder.glob("*/cluster.json"):
                key = f"{folder.name}:{file.parent.name}"
                if key not in self.clusters and _control.is_running(Record.read(file).control):
                    self.clusters[key] = Cluster.from_file(file)
            if init_default_clusters and not any(key.startswith(f"{folder.name}:") for key in self.clusters):
                self.new_cluster(profile_dir=folder, cluster_id="default")
        return self.clusters

    def new_cluster(
        self,
        *,
        n: int | None = None,
        profile: str | None = None,
        profile_dir: str | os.PathLike[str] | None = None,
        cluster_id: str | None = None,
    ) -> tuple[str, Cluster]:
        """Makes a cluster, without starting it. Returns its key and itself. Raises KeyError if the key is taken."""
        cluster = Cluster(n, profile=profile, profile_dir=profile_dir, cluster_id=cluster_id)
        key = f"{cluster.profile}:{cluster.cluster_id}"
        if key in self.clusters:
            raise KeyError(f"cluster {key} is there already")
        self.clusters[key] = cluster
        return key, cluster

    def get_cluster(self, key: str) -> Cluster:
        """One cluster. Raises KeyError with the keys that there are."""
        try:
            return self.clusters[key]
        except KeyError:
            raise KeyError(f"no cluster {key!r}; there are {sorted(self.clusters)}") from None

    def remove_cluster(self, key: str) -> None:
        """Forgets a cluster, which goes on running if it runs."""
        del self.clusters[key]


def clean_cluster_files(
    profile_dirs: Iterable[str | os.PathLike[str]] | None = None, *, force: bool = False
) -> list[str]:
    """Removes the folders of clusters that do not run, in the profiles given or in all. Returns what it removed.

    Args:
        force: Whether folders are removed of which it cannot be said whether their cluster runs.
    """
    removed = []
    for profile in _profile_folders(None, None, None, profile_dirs):
        for folder in [path.parent for path in profile.glob("*/lock")]:
            if not _may_run(folder, force):
                shutil.rmtree(folder)
                removed.append(str(folder))
    return removed


def _may_run(folder: Path, force: bool) -> bool:
    try:
        return _control.is_running(Record.read(folder / "cluster.json").control)
    except FileNotFoundError:
        return False
    except (ValueError, KeyError):
        return not force


def _has_stopped(cluster: Cluster) -> bool:
    return cluster.controller is not None and not cluster.controller.running


def _profile_folders(
    profile: str | None,
    profiles: Iterable[str] | None,
    profile_dir: str | os.PathLike[str] | None,
    profile_dirs: Iterable[str | os.PathLike[str]] | None,
) -> Iterator[Path]:
    names = [*(profiles or ()), *([profile] if profile is not None else ())]
    folders = [*(profile_dirs or ()), *([profile_dir] if profile_dir is not None else ())]
    if not names and not folders:
        yield from sorted(path for path in home().glob("*") if path.is_dir())
    yield from (home() / name for name in names)
    yield from (Path(folder) for folder in folders)
