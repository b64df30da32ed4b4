"""Native engines beside Python ones, called from Python."""

from __future__ import annotations

import operator
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from home import Home, eventually
from rust_examples import native_program

import paraply as ipp
from paraply.error import NotPortableError, RemoteError, TaskAborted

ENGINES = 2


@pytest.fixture
def rc(home: Home) -> Iterator[ipp.Client]:
    with ipp.Cluster(n=1, cluster_id="default") as rc:
        yield rc


@contextmanager
def native_engines(rc: ipp.Client) -> Iterator[list[int]]:
    """Their ids."""
    before = set(rc.ids)
    engine_file = Path(rc.cluster.connection_file).with_name("engine.json")
    env = {**os.environ, "PARAPLY_CONNECTION": str(engine_file)}
    with native_program(ENGINES, env):
        eventually(lambda: len(rc.ids) == len(before) + ENGINES, "native engines")
        yield sorted(set(rc.ids) - before)


def test_functions_are_called_wherever_they_are(rc: ipp.Client) -> None:
    with native_engines(rc) as ids:
        view = rc.load_balanced_view()
        assert view.apply_sync(ipp.native("simulate"), 1000) == pytest.approx(2**0.5)
        walked = view.apply_sync(ipp.native("walk"), steps=100, seed=3)
        assert set(walked) == {"end", "farthest"}
        assert walked == view.apply_sync(ipp.native("walk"), {"steps": 100, "seed": 3})
        roots = view.map_sync(ipp.native("root"), range(2000))
        assert roots == [n**0.5 for n in range(2000)]
        # Each kind of engine runs what it can, whichever has room.
        assert view.map_sync(operator.neg, range(200)) == [-n for n in range(200)]
        assert rc[ids].apply_sync(ipp.native("root"), 4) == [2.0] * ENGINES
        labels = {"runtime": "native"}
        assert set(rc.load_balanced_view(labels=labels).apply(ipp.native("walk"), steps=1).get()) == set(walked)
        assert sorted(rc.direct_view(labels=labels).apply(ipp.native("root"), 9).engine_id) == ids


def test_python_waits_for_python_and_native_for_native(rc: ipp.Client) -> None:
    view = rc.load_balanced_view()
    waiting = view.apply(ipp.native("root"), 16)
    eventually(lambda: "runtime=native" in waiting.explain(), "a reason")
    with native_engines(rc):
        assert waiting.get(30) == 4.0


def test_failures_have_their_type_and_end_no_engine(rc: ipp.Client) -> None:
    with native_engines(rc) as ids:
        view = rc.load_balanced_view()
        for name, arguments, class_name, text in (
            ("root", (-1,), "Error", "no real root"),
            ("root", ("x",), "TypeError", r"takes \(f64\), and was given \(a string\)"),
            ("walk", ({"seed": 1},), "TypeError", r"takes \(Walk\), .*missing field `steps`"),
            ("panic", ("on purpose",), "Panic", "on purpose"),
            ("nothing", (), "LookupError", "it has: walk"),
        ):
            with pytest.raises(RemoteError, match=text) as failed:
                view.apply_sync(ipp.native(name), *arguments)
            assert failed.value.ename == class_name
        assert sorted(set(rc.ids) & set(ids)) == ids
        with pytest.raises(RemoteError, match="no Python"):
            rc[ids[0]].apply_sync(len, "abc")
        python = next(iter(set(rc.ids) - set(ids)))
        with pytest.raises(RemoteError, match="runtime=native"):
            rc[python].apply_sync(ipp.native("root"), 1)


def test_progress_is_seen_and_what_runs_is_cancelled(rc: ipp.Client) -> None:
    with native_engines(rc):
        running = rc.load_balanced_view().apply(ipp.native("wait"))
        eventually(lambda: running.data == {"progress": 0.0}, "progress")
        running.cancel()
        with pytest.raises((RemoteError, TaskAborted)):
            running.get(30)
        shown = rc.load_balanced_view().apply(ipp.native("simulate"), 10)
        shown.get(30)
        eventually(lambda: shown.stdout.startswith("10 steps on engine"), "output")


def test_what_cannot_be_sent_is_said_at_the_call(rc: ipp.Client) -> None:
    view = rc.load_balanced_view()
    with pytest.raises(NotPortableError, match=r"args\[0\].*lock"):
        view.apply(ipp.native("root"), threading.Lock())
    with pytest.raises(ValueError, match="names no function"):
        ipp.native("no name")
    with pytest.raises(TypeError, match="named by a str"):
        ipp.native(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="on engines only"):
        ipp.native("root")(3)
    with pytest.raises(TypeError, match="chunksize=1"):
        view.map(ipp.native("root"), range(10), chunksize=5)
