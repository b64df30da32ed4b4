"""How long a cluster lives that a program has started, and who else can get at it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from home import Home, eventually

import paraply
from paraply.cluster import ClusterManager, clean_cluster_files

BEGIN = """
import os, sys, time, paraply
cluster = paraply.Cluster(n=1, cluster_id="mine", shutdown_atexit={atexit}).start_cluster_sync()
print("started", flush=True)
"""


def program(home: Home, then: str, atexit: bool = True) -> subprocess.Popen[str]:
    """A program that has started a cluster."""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN.format(atexit=atexit) + then], env=home.env, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def test_it_ends_with_its_program_and_says_so(home: Home) -> None:
    with program(home, "") as process:
        assert process.stdout is not None
        said = process.stdout.read()
    assert said.startswith("Stopping cluster <Cluster(cluster_id='mine', profile='default', controller=<running>")
    home.wait_until_empty()


def test_it_ends_with_its_program_also_if_that_is_killed(home: Home) -> None:
    process = program(home, "time.sleep(60)")
    assert len(home.processes()) >= 4
    process.kill()
    process.communicate()
    eventually(lambda: not home.processes(), "every process ends")


def test_a_forked_child_does_not_keep_it(home: Home) -> None:
    process = program(home, "os.write(1, b'%d\\n' % os.fork())\ntime.sleep(60)")
    assert process.stdout is not None
    pids = [int(process.stdout.readline()) for _ in range(2)]
    child = max(pids)
    process.kill()
    process.wait()
    try:
        eventually(lambda: {p.pid for p in home.processes()} == {child}, "only the child is left")
    finally:
        os.kill(child, signal.SIGKILL)
        process.communicate()


def test_ctrl_c_in_the_terminal_is_not_for_it(home: Home) -> None:
    with paraply.Cluster(n=1) as rc:
        engine = rc[0].apply_sync(os.getpid)
        assert os.getsid(engine) != os.getsid(0)


def test_it_may_outlive_its_program_and_others_find_it(home: Home) -> None:
    program(home, "", atexit=False).communicate(timeout=30)
    cluster = paraply.Cluster.from_file(cluster_id="mine")
    assert cluster.shutdown_atexit is False
    assert cluster.n == 1
    (engines,) = cluster.engines.values()
    assert engines.n == 1
    with paraply.Client() as rc:
        rc.wait_for_engines(1, timeout=30)
    with cluster.connect_client_sync() as rc:
        rc.wait_for_engines(timeout=30)
        assert rc[0].apply_sync(lambda: 6 * 7) == 42
    assert "registered" in engines.get_output()
    again = paraply.Cluster.from_dict(cluster.to_dict())
    assert again.cluster_file == cluster.cluster_file
    again.stop_cluster_sync()
    home.wait_until_empty()
    with pytest.raises(FileNotFoundError):
        paraply.Cluster.from_file(cluster_id="mine")


def test_a_manager_knows_those_that_run(home: Home) -> None:
    manager = ClusterManager()
    key, cluster = manager.new_cluster(n=0, cluster_id="mine")
    assert key == "default:mine"
    with pytest.raises(KeyError, match="there already"):
        manager.new_cluster(cluster_id="mine")
    cluster.start_cluster_sync()
    try:
        assert list(ClusterManager().load_clusters()) == ["default:mine"]
        assert manager.get_cluster(key) is cluster
        assert clean_cluster_files() == []
    finally:
        cluster.stop_cluster_sync()
    assert manager.load_clusters() == {}
    with pytest.raises(KeyError, match="no cluster 'default:mine'"):
        manager.get_cluster(key)
    assert clean_cluster_files() == [str(cluster.folder)]
    assert not cluster.folder.exists()
