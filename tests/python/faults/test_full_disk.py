"""The disk that the cluster's folder is on is full: nothing that works without it stops, and logs are simply lost."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bystander import Bystander
from home import Home, empty_home, eventually

import paraply


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of a megabyte at `folder`."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "paraply-test", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
        why = mounted.stderr.strip() if mounted.returncode else ""
    except FileNotFoundError as error:
        why = str(error)
    if why:
        assert "CI" not in os.environ, why
        pytest.skip(f"no disk can be mounted here: {why}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A cluster whose folder is on a disk of its own."""
    disk = tmp_path / "home"
    disk.mkdir()
    # The first connection that each client makes, and each thing that happens, is a line in a log.
    monkeypatch.setenv("PARAPLY_LOG", "debug")
    with small_disk(disk), empty_home(tmp_path, monkeypatch, stop=True) as home:
        home.start(4)
        yield home


def fill(disk: Path) -> Path:
    """Takes all the room there is, also what is left in the last pages of the logs."""
    path = disk / "full"
    for file, sizes in [(path, (1 << 16, 1 << 12, 1)), *((log, (1,)) for log in disk.rglob("*.log"))]:
        for size in sizes:
            with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
                append_for_ever(file, size)
    return path


def append_for_ever(path: Path, size: int) -> None:
    with open(path, "ab", buffering=0) as file:
        while True:
            file.write(b"x" * size)


def test_nothing_stops_and_engines_join(home: Home, rc: paraply.Client) -> None:
    disk = home.folder / "home"
    before = home.status()
    with Bystander([0, 1, 2]) as bystander:
        full = fill(disk)
        # Things that are logged: clients that come and go, signals, the end of an engine, output without a task.
        for _ in range(5):
            with paraply.Client() as other:
                other.wait_for_engines(4, timeout=30)
                assert other.load_balanced_view().map_async(abs, range(-20, 0)).get(timeout=10) == list(
                    range(20, 0, -1)
                )
        rc[:].apply_async(print, "x" * 1000).get(timeout=10)
        os.kill(before["engines"][3]["pid"], signal.SIGKILL)
        eventually(lambda: rc.ids == [0, 1, 2], "the client knows")
        bystander.goes_on()

        said = home.run("engines", "-n", "1")
        assert "1 more engines: 4" in said
        eventually(lambda: rc.ids == [0, 1, 2, 4], "it has joined")
        assert rc[4].apply_async(abs, -1).get(timeout=10) == 1
        bystander.goes_on()
        now = home.status()
        for service in ("controller", "scheduler"):
            assert now[service]["pid"] == before[service]["pid"], "it is the process that it was"
        assert {engine["pid"] for engine in before["engines"][:3]} < {engine["pid"] for engine in now["engines"]}

        full.unlink()
        assert "1 more engines: 5" in home.run("engines", "-n", "1")
        # A controller that is started again knows which ids were given.
        os.kill(now["controller"]["pid"], signal.SIGKILL)
        eventually(lambda: [e["engine_id"] for e in home.status()["engines"]] == [0, 1, 2, 4, 5], "all are back")
        assert "1 more engines: 6" in home.run("engines", "-n", "1")


def test_ids_that_could_not_be_kept_are_not_given_again(home: Home, rc: paraply.Client) -> None:
    """The controller ends while the disk is full: which ids it has given, the scheduler knows."""
    full = fill(home.folder / "home")
    assert "1 more engines: 4" in home.run("engines", "-n", "1")
    now = home.status()
    os.kill(next(engine["pid"] for engine in now["engines"] if engine["engine_id"] == 4), signal.SIGKILL)
    eventually(lambda: rc.ids == [0, 1, 2, 3], "it is gone")
    os.kill(now["controller"]["pid"], signal.SIGKILL)
    assert "1 more engines: 5" in home.run("engines", "-n", "1")
    full.unlink()


def test_a_cluster_that_cannot_be_started_says_why(home: Home) -> None:
    fill(home.folder / "home")
    said = home.run("start", "-n", "1", "--cluster-id", "second", expect=1)
    assert "No space left on device" in said and "second" in said
    assert "Traceback" not in said and "panicked" not in said
