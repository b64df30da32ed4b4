"""More engines and fewer, under load: every task has one result, and none runs twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from gates import wait_for
from home import Home, eventually

import paraply
from paraply._proto.controller.v1 import cluster_pb2
from paraply.util import interactive


@interactive
def leave_a_mark(folder: str, number: int) -> int:
    """Leaves a file each time that it runs."""
    import os
    import time

    with open(os.path.join(folder, f"{number}-{os.getpid()}-{time.monotonic_ns()}"), "x"):
        time.sleep(0.02)
    return number * 2


def is_busy(rc: paraply.Client, engine_id: int) -> bool:
    """Whether the controller knows that an engine runs something."""
    request = cluster_pb2.GetEngineRequest(engine_id=engine_id)
    answer = rc._link.call("paraply.controller.v1.ClusterService/GetEngine", request, cluster_pb2.GetEngineResponse)
    return answer.engine.claimed_tasks == 1


def test_engines_come_and_go_and_idle_ones_go_first(home: Home, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with paraply.Cluster(n=2) as rc:
        rc.scale(4)
        assert rc.ids == [0, 1, 2, 3]
        running = rc[2].apply_async(wait_for, str(gate))
        eventually(lambda: is_busy(rc, 2), "it runs")
        rc.scale(1)
        assert rc.ids == [2]
        gate.touch()
        assert running.get(timeout=30) == rc[2].apply_sync(os.getpid)
        rc.scale(3)
        assert len(rc.ids) == 3
        assert rc.ids[0] == 2
        assert min(rc.ids[1:]) > 3, "ids are not given twice"
        rc.scale(3)
        assert len(set(rc[:].apply_sync(os.getpid))) == 3


def test_nothing_is_lost_and_nothing_runs_twice(home: Home, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    with paraply.Cluster(n=4) as rc:
        results = rc.load_balanced_view().map_async(leave_a_mark, [str(marks)] * 400, range(400))
        for n in (1, 3, 2):
            eventually(lambda: len(list(marks.iterdir())) > 20, "some have run")
            rc.scale(n)
            assert len(rc.ids) == n
        assert results.get(timeout=60) == [number * 2 for number in range(400)]
    assert sorted(int(path.name.partition("-")[0]) for path in marks.iterdir()) == list(range(400))


def test_who_leaves_finishes_what_it_runs_and_gives_back_the_rest(home: Home, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with paraply.Cluster(n=1) as rc:
        view = rc.load_balanced_view()
        running = view.apply_async(wait_for, str(gate))
        eventually(lambda: is_busy(rc, 0), "it runs")
        waiting = [view.apply_async(os.getpid) for _ in range(5)]
        with pytest.raises(TimeoutError, match="finish what they run"):
            rc.scale(0, timeout=0.5)
        rc.scale(1, timeout=0)
        eventually(lambda: rc.ids == [0, 1], "another is there")
        pids = {result.get(timeout=30) for result in waiting}
        assert pids == {rc[1].apply_sync(os.getpid)}
        assert not running.ready()
        gate.touch()
        assert running.get(timeout=30) not in pids
        eventually(lambda: rc.ids == [1], "it has left")
        assert rc.cluster.engines


def test_by_command_and_by_cluster(home: Home) -> None:
    cluster = paraply.Cluster(n=1, cluster_id="default")
    command = [os.path.join(os.path.dirname(sys.executable), "paraply"), "scale"]
    with cluster as rc:
        done = subprocess.run([*command, "3"], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == "Cluster default: engines wanted: 3, there: 1\nengines that take tasks: 3\n"
        eventually(lambda: len(rc.ids) == 3, "this client hears of them too")
        done = subprocess.run([*command, "2", "--no-wait"], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == "Cluster default: engines wanted: 2, there: 3\n"
        eventually(lambda: len(rc.ids) == 2, "one has left")
        cluster.scale(1)
        eventually(lambda: len(rc.ids) == 1, "one is left")
        for wrong in (-1, 4097, 1.5):
            with pytest.raises(ValueError, match="it can be 0 to 4096"):
                rc.scale(wrong)  # type: ignore[arg-type]


def test_an_engine_that_lingers_waits_to_be_ended(home: Home) -> None:
    """As those do that something would start again."""
    with paraply.Cluster(n=1, cluster_id="default") as rc:
        file = Path(rc.cluster.connection_file).with_name("engine.json")
        command = [sys.executable, "-m", "paraply.engine", "--connection", str(file), "--linger", "60"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as engine:
            try:
                rc.wait_for_engines(2, timeout=30)
                request = cluster_pb2.DrainEngineRequest(engine_id=1)
                method = "paraply.controller.v1.ClusterService/DrainEngine"
                rc._link.call(method, request, cluster_pb2.DrainEngineResponse)
                eventually(lambda: rc.ids == [0], "it has left")
                assert engine.poll() is None
                engine.terminate()
                assert engine.wait(timeout=30) == 0
            finally:
                engine.kill()
