"""Run by scripts/test-wheels in an empty environment: a cluster of the installed wheels computes something."""

import os

import paraply as ipp

with ipp.Cluster(n=2) as rc:
    pids = rc[:].apply_sync(os.getpid)
    assert len(set(pids)) == 2 and os.getpid() not in pids, pids
    print("two engines of paraply", ipp.__version__, "answered")
