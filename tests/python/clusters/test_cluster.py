"""`Cluster`: starting, connecting, stopping."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from pathlib import Path

import pytest
from home import Home, eventually

import paraply


def test_a_context_gives_a_client_with_all_engines_and_leaves_nothing(home: Home) -> None:
    with paraply.Cluster(n=2) as rc:
        assert rc.ids == [0, 1]
        assert len(set(rc[:].apply_sync(os.getpid))) == 2
        folder = Path(rc.cluster.connection_file).parent
        assert folder.exists()
    home.wait_until_empty()
    assert not folder.exists()
    assert list((home.folder / "run" / "paraply").iterdir()) == []


def test_an_asynchronous_context(home: Home) -> None:
    async def use() -> int:
        async with paraply.Cluster(n=1) as rc:
            return rc[0].apply_sync(os.getpid)

    assert asyncio.run(use()) != os.getpid()


def test_step_by_step(home: Home) -> None:
    cluster = paraply.Cluster(n=1)
    assert re.fullmatch(r"<Cluster\(cluster_id='\d+-[a-z0-9]{4}', profile='default'\)>", repr(cluster))
    assert cluster.start_cluster_sync() is cluster
    try:
        with cluster.connect_client_sync() as rc:
            assert rc.cluster is cluster
            rc.wait_for_engines(timeout=30)
            assert rc[:].apply_sync(os.getcwd) == [os.getcwd()]
        (set_id,) = cluster.engines
        assert repr(cluster).endswith(f"controller=<running>, engine_sets=['{set_id}'])>")
        assert cluster.engine_set is not None
        assert cluster.engine_set.state == "running"
        with pytest.raises(RuntimeError, match="is running already"):
            cluster.start_controller_sync()
    finally:
        cluster.stop_cluster_sync()
    assert "controller=<after>" in repr(cluster)
    cluster.stop_cluster_sync()


def test_a_controller_first_then_engines(home: Home) -> None:
    cluster = paraply.Cluster()
    with pytest.raises(RuntimeError, match="does not run"):
        cluster.start_engines_sync(1)
    cluster.start_controller_sync()
    try:
        with cluster.connect_client_sync() as rc:
            assert rc.ids == []
            first = cluster.start_engines_sync(1)
            second = cluster.start_engines_sync(1, engine_set_id="second")
            assert second == "second"
            rc.wait_for_engines(2, timeout=30)
            assert list(cluster.engines) == [first, "second"]
            cluster.stop_engines_sync("second")
            eventually(lambda: len(rc.ids) == 1, "the second set is gone")
            with pytest.raises(KeyError, match="no engine set 'second'"):
                cluster.stop_engines_sync("second")
            cluster.stop_engines_sync()
            eventually(lambda: rc.ids == [], "all engines are gone")
    finally:
        cluster.stop_controller_sync()


def test_restarted_engines_have_new_ids(home: Home) -> None:
    with paraply.Cluster(n=2) as rc:
        sets = list(rc.cluster.engines)
        rc.cluster.restart_engines_sync()
        eventually(lambda: rc.ids == [2, 3], "two engines under new ids")
        assert list(rc.cluster.engines) == sets
        rc.cluster.restart_engine_sync(2)
        eventually(lambda: rc.ids == [3, 4], "one engine under a new id")
        rc.cluster.stop_engine_sync(4)
        eventually(lambda: rc.ids == [3], "one engine less")
        with pytest.raises(KeyError, match="no engine 4"):
            rc.cluster.stop_engine_sync(4)


def test_a_signal_interrupts_what_engines_do(home: Home) -> None:
    def started_then_sleep(path: str) -> None:
        import time

        open(path, "x").close()
        time.sleep(60)

    with paraply.Cluster(n=2) as rc:
        marks = [home.folder / f"started-{engine}" for engine in rc.ids]
        calls = [
            rc[engine].apply_async(started_then_sleep, str(mark)) for engine, mark in zip(rc.ids, marks, strict=True)
        ]
        eventually(lambda: all(mark.exists() for mark in marks), "both tasks run")
        rc.cluster.signal_engine_sync(1)
        with pytest.raises(paraply.RemoteError, match="KeyboardInterrupt"):
            calls[1].get(timeout=10)
        assert not calls[0].ready()
        rc.cluster.signal_engines_sync(signal.SIGINT)
        with pytest.raises(paraply.RemoteError, match="KeyboardInterrupt"):
            calls[0].get(timeout=10)
        assert len(rc[:].apply_sync(os.getpid)) == 2


def test_a_failing_start_says_why_at_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAPLY_SCHEDULER_BLOB_BYTES", "plenty")
    begun = time.monotonic()
    with pytest.raises(RuntimeError, match="PARAPLY_SCHEDULER_BLOB_BYTES"), paraply.Cluster(n=1):
        pass
    assert time.monotonic() - begun < 30
    with pytest.raises(RuntimeError, match="--work-dir /nowhere"):
        paraply.Cluster(n=1, work_dir="/nowhere").start_cluster_sync()


def test_a_name_runs_once(home: Home) -> None:
    cluster = paraply.Cluster(n=0, cluster_id="mine").start_cluster_sync()
    try:
        with pytest.raises(RuntimeError, match="'mine' of profile 'default' is already running"):
            paraply.Cluster(n=0, cluster_id="mine").start_cluster_sync()
    finally:
        cluster.stop_cluster_sync()
    assert (cluster.folder / "logs").exists(), "a cluster with a name keeps its logs"


def test_options_of_other_clusters_are_refused(home: Home) -> None:
    paraply.Cluster(n=1, log_level=10, delay=0.1, engines="local", controller_ip="127.0.0.1", load_profile=False)
    with pytest.raises(ValueError, match="engines='slurm'"):
        paraply.Cluster(engines="slurm")
    with pytest.raises(ValueError, match=r"controller_ip='\*'"):
        paraply.Cluster(controller_ip="*")
    with pytest.raises(TypeError, match="is short for 'engine_launcher_class'"):
        paraply.Cluster(engines="local", engine_launcher_class="local")
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        paraply.Cluster(colour="red")
