"""Clusters on this machine, started and stopped from Python."""

from paraply.cluster.cluster import Cluster
from paraply.cluster.manager import ClusterManager, clean_cluster_files

__all__ = ["Cluster", "ClusterManager", "clean_cluster_files"]
