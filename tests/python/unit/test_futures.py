"""Results as futures and as values: what is raised when, and on which thread."""

from __future__ import annotations

import pickle
import sys
import textwrap
import threading
from concurrent.futures import FIRST_EXCEPTION
from pathlib import Path

import pytest
from fake_client import eventually
from fake_scheduler import FakeScheduler

from paraply import error
from paraply._proto.common.v1 import task_pb2
from paraply.client._failure import RemoteEngineError, RemoteQueueTimeout, RemoteTimeout, exception_of
from paraply.client.client import Client


def test_an_early_failure_is_raised_and_not_kept_as_the_value(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    result = rc[:].apply_async(abs, 1)
    eventually(lambda: len(scheduler.held) == 4)
    rc.abort(result.msg_ids[1])
    with pytest.raises(error.TaskAborted, match=result.msg_ids[1]):
        result.get(10, return_when=FIRST_EXCEPTION)
    assert not result.ready()
    with pytest.raises(TimeoutError):
        result.get(0, return_when=FIRST_EXCEPTION, return_exceptions=True)
    scheduler.release(scheduler.transport.streams[0].send)
    got = result.get(10)
    assert len(got) == 4
    assert isinstance(got[1], error.TaskAborted)


def test_an_early_remote_failure(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: index > 0
    result = rc[:].apply_async(lambda: 1 / 0)
    with pytest.raises(error.CompositeError) as caught:
        result.get(10, return_when=FIRST_EXCEPTION)
    assert len(caught.value.elist) == 1


def test_a_callback_of_a_finished_result_is_called_before_adding_it_returns(
    rc: Client, caplog: pytest.LogCaptureFixture
) -> None:
    result = rc[0].apply_async(abs, 1)
    result.get(10)
    called: list[threading.Thread] = []
    result.add_done_callback(lambda _: called.append(threading.current_thread()))
    assert called == [threading.current_thread()]
    result.add_done_callback(lambda _: 1 / 0)
    assert "exception calling callback" in caplog.text


def test_output_is_shown_while_a_callback_waits(
    rc: Client, scheduler: FakeScheduler, capsys: pytest.CaptureFixture[str]
) -> None:
    scheduler.hold = lambda index: index == 0
    blocks = threading.Event()
    first = rc[0].apply_async(abs, 1)
    first.add_done_callback(lambda _: blocks.wait(10))
    eventually(lambda: scheduler.held)
    scheduler.release(scheduler.transport.streams[0].send)
    scheduler.hold = lambda index: True
    result = rc[0].execute("print(1)")
    eventually(lambda: scheduler.held)
    shown = ""

    def shows() -> bool:
        nonlocal shown
        shown += capsys.readouterr().out
        return shown == "out\n"

    try:
        with result.stream_output():
            scheduler.write(1, b"out\n")
            eventually(shows)
    finally:
        blocks.set()


def test_results_by_engine(rc: Client) -> None:
    assert rc[:2].map_async(abs, range(5)).get_dict() == {0: [0, 1, 2], 1: [3, 4]}
    assert rc[3].apply_async(abs, -1).get_dict() == {3: 1}
    with pytest.raises(ValueError, match="Cannot build dict, 2 jobs ran on engine"):
        rc.load_balanced_view().map_async(abs, range(8)).get_dict()


def test_exception(rc: Client, scheduler: FakeScheduler) -> None:
    assert rc[0].apply_async(abs, 1).exception(10) is None
    assert isinstance(rc[0].apply_async(lambda: 1 / 0).exception(10), error.RemoteError)
    scheduler.hold = lambda index: True
    with pytest.raises(TimeoutError):
        rc[0].apply_async(abs, 1).exception(0)


def test_a_failure_that_is_raised_often_has_a_short_traceback(rc: Client) -> None:
    result = rc[0].apply_async(lambda: 1 / 0)
    lengths = set()
    for _ in range(10):
        with pytest.raises(error.RemoteError) as caught:
            result.get(10)
        lengths.add(len(caught.traceback))
    assert len(lengths) == 1


def test_kinds_of_failures(rc: Client) -> None:
    (task,) = rc[0].apply_async(abs, 1)._tasks
    kinds = {
        task_pb2.FAILURE_KIND_QUEUE_TIMEOUT: (RemoteQueueTimeout, "TaskTimeout"),
        task_pb2.FAILURE_KIND_RUN_TIMEOUT: (RemoteTimeout, "TaskTimeout"),
        task_pb2.FAILURE_KIND_ENGINE_LOST: (RemoteEngineError, "EngineError"),
    }
    for kind, (made, name) in kinds.items():
        failure = exception_of(task_pb2.Failure(kind=kind, message="why", engine_id=2), task)
        assert type(failure) is made
        assert (failure.ename, failure.evalue) == (name, "why")
        assert type(pickle.loads(pickle.dumps(failure))) is made
    later = exception_of(task_pb2.Failure(kind=42, message="why"), task)  # type: ignore[arg-type]
    assert (type(later), later.ename, later.evalue) == (error.RemoteError, "42", "why"), "one of a later release"
    assert issubclass(RemoteQueueTimeout, error.DependencyTimeout)
    assert issubclass(RemoteQueueTimeout, error.TaskTimeout)
    assert not issubclass(RemoteTimeout, error.DependencyTimeout)


def test_an_exception_is_made_by_who_asks_for_it(
    rc: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheduler: FakeScheduler
) -> None:
    """Its module may wait for the cluster as it is imported, which the thread that brings results must not do."""
    (tmp_path / "waiting_module.py").write_text(
        textwrap.dedent(
            """
            import threading

            imported_by = threading.current_thread()

            class Trouble(Exception):
                pass
            """
        )
    )
    monkeypatch.syspath_prepend(tmp_path)
    import waiting_module  # type: ignore[import-not-found]

    dumped = pickle.dumps(waiting_module.Trouble("no"), 5)
    del sys.modules["waiting_module"], waiting_module
    (task,) = rc[0].apply_async(abs, 1)._tasks
    failure = task_pb2.Failure(kind=task_pb2.FAILURE_KIND_EXCEPTION, type_name="Trouble", message="no")
    failure.exception.encoding = 1  # type: ignore[assignment]
    failure.exception.data = dumped
    raised = exception_of(failure, task)
    assert isinstance(raised, error.RemoteError)
    assert "waiting_module" not in sys.modules
    original = raised.original
    assert type(original).__name__ == "Trouble"
    assert raised.original is original
    assert sys.modules.pop("waiting_module").imported_by is threading.current_thread()


def test_a_future_says_how_it_is_in_one_answer(rc: Client, scheduler: FakeScheduler) -> None:
    """As `asyncio` asks from Python 3.14 on."""
    scheduler.hold = lambda index: True
    result = rc[0].apply_async(abs, -1)
    failed = rc[0].apply_async(lambda: 1 / 0)
    assert result._get_snapshot() == (False, False, None, None)
    eventually(lambda: len(scheduler.held) == 2)
    scheduler.release(scheduler.transport.streams[0].send)
    assert result.get(10) == 1
    assert result._get_snapshot() == (True, False, 1, None)
    failed.wait(10)
    done, cancelled, value, failure = failed._get_snapshot()
    assert (done, cancelled, value) == (True, False, None) and isinstance(failure, error.RemoteError)


def test_a_task_whose_argument_was_refused_and_that_has_a_result_keeps_it(rc: Client) -> None:
    done = rc[0].apply_async(abs, -1)
    done.get(10)
    (task,) = done._tasks
    task.doom(ConnectionError("too late"))
    assert done.get() == 1
