"""The end of a client: what was submitted arrives, and nobody waits for ever for what will not come."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
from fake_client import INFO, eventually
from fake_scheduler import FakeScheduler, update

from paraply import _parting
from paraply.client.client import Client


def connect(scheduler: FakeScheduler, **options: str) -> Client:
    return Client(INFO, transport=scheduler.transport, **options)  # type: ignore[arg-type]


def test_calls_that_were_made_arrive_and_are_left_to_run(scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    rc = connect(scheduler)
    result = rc[0].apply_async(abs, 1)
    rc.close()
    assert [index for index, *_ in scheduler.held] == [0]
    assert not scheduler.closed
    with pytest.raises(ConnectionError, match="this client is closed"):
        result.get(10)


def test_without_tasks_or_with_the_policy_to_cancel_the_session_ends(scheduler: FakeScheduler) -> None:
    with connect(scheduler) as rc:
        rc[0].apply_sync(abs, 1)
    assert scheduler.closed
    scheduler = FakeScheduler()
    scheduler.hold = lambda index: True
    with connect(scheduler, on_disconnect="cancel") as rc:
        rc[0].apply_async(abs, 1)
    assert scheduler.closed


def with_calls_that_are_not_accepted(scheduler: FakeScheduler, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client that has little patience."""
    for name in ("_SILENCE", "NOTICE"):
        monkeypatch.setattr(_parting, name, 0.05)
    scheduler.hold = lambda index: True
    scheduler.accepts = False
    rc = connect(scheduler)
    rc[:].apply_async(abs, 1)
    return rc


def test_closing_waits_until_the_calls_are_accepted_and_says_so(
    scheduler: FakeScheduler, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rc = with_calls_that_are_not_accepted(scheduler, monkeypatch)
    closing = threading.Thread(target=rc.close)
    closing.start()
    told = ""

    def tells() -> bool:
        nonlocal told
        told += capsys.readouterr().err
        return "until the cluster has all calls that were made (4 tasks not finished)" in told

    eventually(tells)
    assert closing.is_alive()
    scheduler.transport.streams[0].send(update(accepted_up_to=4))
    closing.join(10)
    assert not closing.is_alive()
    assert not scheduler.closed


def test_closing_does_not_wait_for_longer_than_it_is_told(
    scheduler: FakeScheduler, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rc = with_calls_that_are_not_accepted(scheduler, monkeypatch)
    rc.close(linger=0)
    assert rc._link.closed


def test_a_client_that_is_let_go_leaves_its_calls_too(scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    rc = connect(scheduler)
    rc[0].apply_async(abs, 1)
    gone = weakref.ref(rc)
    del rc
    gc.collect()
    assert gone() is None
    eventually(lambda: scheduler.held)
    stream = scheduler.transport.streams[0]
    eventually(lambda: stream.ended)
    assert not scheduler.closed


def test_a_large_result_that_was_not_read_says_so(scheduler: FakeScheduler) -> None:
    rc = connect(scheduler)
    large, small = rc[0].apply_async(np.zeros, 10_000), rc[0].apply_async(abs, -1)
    assert large.wait(10)
    rc.close()
    assert small.get(10) == 1
    for _ in range(2):
        with pytest.raises(ConnectionError, match=r"read it, with get\(\), before rc.close\(\)"):
            large.get(10)


def test_an_argument_that_cannot_be_sent_any_more_counts_as_sent(scheduler: FakeScheduler) -> None:
    rc = connect(scheduler)
    scheduler.hold = lambda index: True
    rc._link.blobs.close(ConnectionError("closed"))
    result = rc[:].apply_async(len, np.zeros(10_000))
    result.wait_for_send(10)
    assert result.sent
    rc.close()


def test_ones_own_close_is_no_refusal(scheduler: FakeScheduler) -> None:
    rc = connect(scheduler)
    rc.close()
    with pytest.raises(ConnectionError, match=r"^this client is closed$"):
        rc.direct_view([0]).apply_async(abs, 1)
