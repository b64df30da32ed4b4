"""A process that is forked from one with a client: nothing of it hangs, and nothing of the parent's is touched."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import sys
from collections.abc import Callable

import numpy as np
import pytest
from fake_client import eventually
from fake_scheduler import FakeScheduler

from paraply.client.client import Client
from paraply.cluster import cluster

#: Seconds after which a child that hangs is ended.
PATIENCE = 20


def in_child(work: Callable[[], object]) -> str:
    """What `work` gives or raises in a forked child."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(PATIENCE)
        try:
            said = repr(work())
        except BaseException as failure:  # noqa: BLE001  # it is told
            said = f"{type(failure).__name__}: {failure}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        said = told.read()
    assert os.waitpid(child, 0)[1] == 0, "the child hung"
    return said


OURS_IS_NOT_THEIRS = "ConnectionError: this client belongs to the parent process: make a Client() after the fork"


def test_results_in_a_child(rc: Client, scheduler: FakeScheduler) -> None:
    large, small = rc[0].apply_async(np.zeros, 10_000), rc[0].apply_async(abs, -1)
    assert rc.wait([large, small], 10)
    scheduler.hold = lambda index: True
    pending = rc[:].apply_async(abs, 1)
    watched = rc[0].apply_async(abs, 1)
    called: list[object] = []
    watched.add_done_callback(called.append)
    iterator = rc.load_balanced_view().imap(abs, [1, 2])
    eventually(lambda: len(scheduler.held) == 7)
    assert in_child(lambda: small.get(5)) == "1"
    for work in (
        lambda: large.get(5),
        pending.get,
        watched.get,
        lambda: rc[0].apply_async(abs, 1),
        rc.queue_status,
    ):
        assert in_child(work) == OURS_IS_NOT_THEIRS
    assert in_child(lambda: next(iterator)).startswith("ConnectionError: this iterator belongs to the parent process")
    assert in_child(lambda: len(concurrent.futures.wait([watched]).done)) == "1"
    assert in_child(lambda: (rc.wait(), called)) == "(True, [])"
    assert in_child(rc.close) == "None"
    scheduler.release(scheduler.transport.streams[0].send)
    assert pending.get(10) == [1] * 4
    assert len(large.get(10)) == 10_000


def test_a_child_that_ends_leaves_the_parents_cluster_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    started = cluster.Cluster(n=1)
    stopped: list[object] = []
    monkeypatch.setattr(cluster.Cluster, "stop_cluster_sync", lambda self: stopped.append(self))
    cluster._to_stop.add(started)

    def leave() -> object:
        cluster._stop_at_exit()
        try:
            raise SystemExit
        except SystemExit:
            started.__exit__(*sys.exc_info())
        return stopped

    try:
        assert in_child(leave) == "[]"
    finally:
        cluster._to_stop.discard(started)
    started.__exit__(None, None, None)
    assert stopped == [started]
