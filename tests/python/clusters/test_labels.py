"""Engines with labels, and views that select by them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from home import Home, eventually

import paraply
from paraply.util import interactive

#: Starts an engine with these labels; returns its id.
Start = Callable[..., int]


@interactive
def where(_: object = None) -> int:
    """The engine that this runs on."""
    from paraply_engine import _native

    return _native.engine_id()


@pytest.fixture
def cluster(home: Home) -> Iterator[tuple[paraply.Client, Start]]:
    """A cluster with one engine that has no labels of its own, and how to start others."""
    engines: list[subprocess.Popen[bytes]] = []
    with paraply.Cluster(n=1, cluster_id="default") as rc:
        file = Path(rc.cluster.connection_file).with_name("engine.json")

        def start(*labels: str) -> int:
            before = set(rc.ids)
            command = [sys.executable, "-m", "paraply.engine", "--connection", str(file)]
            command += [argument for label in labels for argument in ("--label", label)]
            engines.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
            rc.wait_for_engines(len(before) + 1, timeout=30)
            return (set(rc.ids) - before).pop()

        try:
            yield rc, start
        finally:
            for engine in engines:
                engine.terminate()
            for engine in engines:
                engine.wait(timeout=30)


def test_tasks_run_where_their_labels_are(home: Home, cluster: tuple[paraply.Client, Start]) -> None:
    rc, start = cluster
    first, second, other = start("zone=a"), start("zone=a", "disk=ssd"), start("zone=b")
    assert rc.engine_labels == {
        0: {"runtime": "python"},
        first: {"runtime": "python", "zone": "a"},
        second: {"runtime": "python", "zone": "a", "disk": "ssd"},
        other: {"runtime": "python", "zone": "b"},
    }
    balanced = rc.load_balanced_view(labels={"zone": "a"})
    assert set(balanced.map_sync(where, range(40))) <= {first, second}
    both = rc.load_balanced_view(labels={"zone": "a", "disk": "ssd"})
    assert set(both.map_sync(where, range(10))) == {second}
    assert set(rc.load_balanced_view([0, second], labels={"zone": "a"}).map_sync(where, range(10))) == {second}
    assert list(balanced.imap(where, range(4)))
    with pytest.raises(paraply.EngineError, match="carries the labels that it asks for"):
        rc.load_balanced_view([0, other], labels={"zone": "a"}).apply_sync(where)
    shown = {engine["engine_id"]: engine["labels"] for engine in home.status()["engines"]}
    assert shown == rc.engine_labels
    assert "disk=ssd runtime=python zone=a" in home.run("status")


def test_a_direct_view_looks_for_its_labels_at_each_call(cluster: tuple[paraply.Client, Start]) -> None:
    rc, start = cluster
    first = start("zone=a")
    view = rc.direct_view(labels={"zone": "a"}, block=True)
    whole = rc.broadcast_view(labels={"zone": "a"}, block=True)
    assert (view.apply(where), len(view)) == ([first], 1)
    second = start("zone=a")
    assert (view.apply(where), len(view)) == ([first, second], 2)
    assert whole.apply(where) == [first], "it is on those that there were"
    view.push({"x": 1})
    assert view["x"] == [1, 1]
    view.scatter("y", range(4))
    assert view.gather("y") == [0, 1, 2, 3]
    nobody = rc.direct_view(labels={"zone": "z"})
    assert len(nobody) == 0
    message = "no engine has labels zone=z: those of the 3 engines are runtime=python zone=a"
    with pytest.raises(paraply.NoEnginesRegistered, match=message):
        nobody.apply_sync(where)


def test_a_task_for_nobody_waits_and_says_why(cluster: tuple[paraply.Client, Start]) -> None:
    rc, start = cluster
    result = rc.load_balanced_view(labels={"zone": "c"}).apply_async(where)
    why = "waits for an engine with labels zone=c; the engine that is attached does not have them"
    eventually(lambda: why in str(result.explain()), "the reason is said")
    with pytest.raises(TimeoutError, match=why):
        result.get(timeout=1.5)
    assert rc.load_balanced_view().apply_sync(where) == 0, "others go on"
    engine = start("zone=c")
    assert result.get(timeout=30) == engine


def test_what_engines_set_themselves_users_cannot(home: Home, cluster: tuple[paraply.Client, Start]) -> None:
    rc, _ = cluster
    file = Path(rc.cluster.connection_file).with_name("engine.json")
    for label in ("runtime=native", "functions=f"):
        command: list[Any] = [sys.executable, "-m", "paraply.engine", "--connection", file, "--label", label]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        key = label.partition("=")[0]
        assert done.returncode == 2
        assert f"engines set {key!r} themselves, choose another key" in done.stderr
