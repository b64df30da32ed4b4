"""Cancelling, over a fake transport: what is sent, and what comes of it."""

from __future__ import annotations

import pytest
from fake_client import INFO, eventually
from fake_scheduler import FakeScheduler

from paraply import error
from paraply._proto.scheduler.v1 import session_pb2
from paraply.client import _cancel
from paraply.client.asyncresult import AsyncResult
from paraply.client.client import Client


def test_queued_tasks_never_start_and_running_ones_are_interrupted(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    scheduler.running = {0}
    running, queued = rc[0].apply_async(abs, 1), rc[0].apply_async(abs, 2)
    eventually(lambda: len(scheduler.held) == 2)
    assert running.cancel()
    assert queued.cancel()
    with pytest.raises(error.RemoteError, match="KeyboardInterrupt") as caught:
        running.get(10)
    assert caught.value.ename == "KeyboardInterrupt"
    with pytest.raises(error.TaskAborted):
        queued.get(10)
    assert not running.cancel()
    assert [each.mode for each in scheduler.cancels] == [session_pb2.CANCEL_MODE_INTERRUPT] * len(scheduler.cancels)
    assert not any(each.HasField("kill_after_millis") for each in scheduler.cancels)


def test_a_task_that_does_not_stop_is_ended_with_its_engine(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    scheduler.running = scheduler.stubborn = {0}
    result = rc[0].apply_async(abs, 1)
    eventually(lambda: scheduler.held)
    assert result.cancel()
    eventually(lambda: scheduler.cancels)
    assert not result.ready()
    assert result.cancel(kill_after=1.5)
    with pytest.raises(error.EngineError) as caught:
        result.get(10)
    assert isinstance(caught.value, error.RemoteError)
    assert scheduler.cancels[-1].kill_after_millis == 1500
    with pytest.raises(ValueError, match="kill_after is 0 or more seconds, not -1"):
        rc[0].apply_async(abs, 1).cancel(kill_after=-1)


def test_the_user_is_told_of_what_does_not_stop(
    rc: Client, scheduler: FakeScheduler, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_cancel, "PATIENCE", 1.0)
    scheduler.hold = lambda index: True
    scheduler.running = scheduler.stubborn = {0}
    result = rc[:2].apply_async(abs, 1)
    eventually(lambda: len(scheduler.held) == 2)
    result.cancel()
    told = ""

    def tells() -> bool:
        nonlocal told
        told += capsys.readouterr().err
        return told.endswith("\n")

    eventually(tells)
    assert told == (
        f"paraply: interrupted and still running: abs {result.msg_ids[0]} on engine 0; "
        "cancel(kill_after=1) ends it, and its engine\n"
    )


def test_abort_is_for_queued_tasks_and_for_the_engines_named(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    scheduler.running = {0}
    results = [rc[engine].apply_async(abs, 1) for engine in (0, 0, 1)]
    eventually(lambda: len(scheduler.held) == 3)
    rc.abort(targets=0)
    with pytest.raises(error.TaskAborted):
        results[1].get(10)
    assert not results[0].ready()
    assert not results[2].ready()
    rc.abort(results, targets=[0, 1])
    with pytest.raises(error.TaskAborted):
        results[2].get(10)
    assert not results[0].ready()
    assert {each.mode for each in scheduler.cancels} == {session_pb2.CANCEL_MODE_ABORT}
    with pytest.raises(IndexError):
        rc.abort(targets=99)


def test_run_timeout_is_a_flag_of_every_view(rc: Client, scheduler: FakeScheduler) -> None:
    calls: list[session_pb2.Call] = []
    scheduler.hold = lambda index: False
    take = scheduler._take
    scheduler._take = lambda functions, more, done: calls.extend(more) or take(functions, more, done)  # type: ignore[func-returns-value]
    view = rc.direct_view([0], run_timeout=0.5)
    view.apply_sync(abs, 1)
    view.execute("x = 1", block=True)
    view.map_sync(abs, [1])
    with view.temp_flags(run_timeout=None):
        view.apply_sync(abs, 1)
    balanced = rc.load_balanced_view().set_flags(run_timeout=2)
    balanced.apply_sync(abs, 1)
    timeouts = [call.options.run_timeout_millis for call in calls]
    assert timeouts == [500, 500, 500, 0, 2000]
    for wrong, kind in ((-1, ValueError), ("1", TypeError), (True, TypeError)):
        with pytest.raises(kind, match="run_timeout is"):
            balanced.set_flags(run_timeout=wrong)
        with pytest.raises(kind, match="run_timeout is"):
            rc.direct_view(run_timeout=wrong)


def test_signal_0_is_none(rc: Client) -> None:
    rc.send_signal(0)
    rc.send_signal("0")
    with pytest.raises(ValueError, match="999"):
        rc.send_signal(999)


def test_results_of_several_clients_are_cancelled_each_in_its_own_session(rc: Client, scheduler: FakeScheduler) -> None:
    other_scheduler = FakeScheduler()
    with Client(INFO, transport=other_scheduler.transport) as other:
        for each in (scheduler, other_scheduler):
            each.hold = lambda index: True
        other[0].apply_async(abs, 0)
        results = [rc[0].apply_async(abs, 1), other[0].apply_async(abs, 1)]
        eventually(lambda: len(scheduler.held) == 1 and len(other_scheduler.held) == 2)
        assert AsyncResult.join(*results).cancel()
        for result in results:
            with pytest.raises(error.TaskAborted):
                result.get(10)
        assert [index for index, *_ in other_scheduler.held] == [0]
