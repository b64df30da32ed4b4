"""Finding tasks again, and what it costs to remember them."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import tracemalloc
from collections import UserDict, deque
from collections.abc import Callable

import numpy as np
import pytest
from fake_client import eventually
from fake_scheduler import FakeScheduler, engine

from paraply._proto.scheduler.v1 import session_pb2
from paraply._transport.base import TransportError
from paraply.client._history import History
from paraply.client.client import Client
from paraply.client.map import sliceable

GET_TASKS = "paraply.scheduler.v1.TaskService/GetTasks"
PURGE_TASKS = "paraply.scheduler.v1.TaskService/PurgeTasks"


def not_built(request: object) -> object:
    raise TransportError("UNIMPLEMENTED", "it is not built yet")


def is_not_found(ask: Callable[[], object]) -> bool:
    """Not yet, while the thread that brought the result still has it."""
    try:
        ask()
    except NotImplementedError as failure:
        return "keep the AsyncResult" in str(failure)
    return False


def test_the_last_results_are_found_though_nobody_holds_them(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.transport.unary |= {GET_TASKS: not_built, PURGE_TASKS: not_built}
    rc[0].apply_async(abs, -5).wait(10)
    gc.collect()
    eventually(lambda: not is_not_found(rc.get_result))
    assert rc.get_result().get() == 5
    rc[0].apply_async(np.zeros, 10_000).wait(10)
    gc.collect()
    for ask in (rc.get_result, lambda: rc.get_result("00_1"), lambda: rc.result_status("00_1")):
        eventually(lambda ask=ask: is_not_found(ask))
    assert rc.result_status(rc.history) == {"pending": [], "completed": rc.history}
    with pytest.raises(NotImplementedError, match="keep the AsyncResult"):
        rc.result_status(rc.history, status_only=False)
    assert rc.result_status(rc.history[:1], status_only=False)[rc.history[0]] == 5
    with pytest.raises(NotImplementedError, match="PurgeTasks"):
        rc.purge_results(rc.history[0])
    assert rc.get_result(0).get() == 5
    rc.purge_local_results(rc.history[0])
    with pytest.raises(NotImplementedError, match="keep the AsyncResult"):
        rc.get_result(0)


def test_results_and_metadata_say_what_they_are(rc: Client) -> None:
    result = rc[:].apply_async(abs, 1)
    result.get(10)
    assert repr(rc.results) == "<Results: 4 of tasks that are finished and in use>"
    assert repr(rc.metadata) == "<Metadata of 4 tasks>"
    assert dict(rc.results) == dict.fromkeys(result.msg_ids, 1)
    assert rc.metadata[result.msg_ids[2]].engine_id == 2
    for missing in (rc.results, rc.metadata):
        with pytest.raises(KeyError):
            missing["00_1"]


def test_threads_submit_while_others_look(rc: Client) -> None:
    stop = threading.Event()
    failures: list[Exception] = []
    interval = sys.getswitchinterval()
    kept: deque[object] = deque(maxlen=500)

    def look() -> None:
        try:
            while not stop.is_set():
                dict.fromkeys(rc.results)
                rc.wait(["00_1"])
        except Exception as failure:  # noqa: BLE001  # looked at below
            failures.append(failure)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        sys.setswitchinterval(1e-6)  # the race is lost often enough to be seen
        for _ in range(1000):
            kept.append(rc[0].apply_async(abs, 1))
    finally:
        sys.setswitchinterval(interval)
        stop.set()
    thread.join(10)
    assert failures == []


def test_many_names_are_looked_up_in_one_go(rc: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    result = rc.load_balanced_view().map_async(abs, range(2000))
    result.wait(10)
    looked = 0
    in_use = type(rc._jobs)._in_use

    def counted(jobs: object) -> object:
        nonlocal looked
        looked += 1
        return in_use(jobs)  # type: ignore[arg-type]

    monkeypatch.setattr(type(rc._jobs), "_in_use", counted)
    assert rc.wait(result.msg_ids)
    assert rc.get_result(result.msg_ids).get() == list(range(2000))
    assert len(dict(rc.results)) == 2000
    assert looked < 5


def test_a_history_of_many_calls_takes_little(rc: Client) -> None:
    view = rc[0]
    for _ in range(200):
        view.apply_sync(abs, 1)
    tracemalloc.start()
    try:
        history = History()
        result = view.apply_async(abs, 1)
        result.get(10)
        before = tracemalloc.get_traced_memory()[0]
        for index in range(10_000):
            result._tasks[0].call.first_index = index
            history.add(result._tasks)
        assert tracemalloc.get_traced_memory()[0] - before < 2_000
    finally:
        tracemalloc.stop()
    assert len(history.msg_ids()) == 10_000


def test_a_history_with_gaps(rc: Client) -> None:
    history = History()
    assert "00_1" not in history
    result = rc[0].apply_async(abs, 1)
    result.get(10)
    (task,) = result._tasks
    for index in (7, 1, 2, 9):
        task.call.first_index = index
        history.add([task])
    session = rc.session.session
    assert history.msg_ids() == [f"{session}_{index}" for index in (1, 2, 7, 9)]
    assert [index for index in range(12) if f"{session}_{index}" in history] == [1, 2, 7, 9]
    assert "nonsense" not in history


def test_an_executor_knows_what_is_not_done(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: index >= 400
    executor = rc.load_balanced_view().executor
    threads = [threading.Thread(target=lambda: [executor.submit(abs, 1) for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    eventually(lambda: repr(executor) == "<ViewExecutor of <LoadBalancedView None>: 0 outstanding>")
    held = executor.submit(abs, -1)
    eventually(lambda: scheduler.held)
    executor.shutdown(wait=True, cancel_futures=True)
    assert held.done()
    assert "shut down" in repr(executor)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(abs, 1)


def test_a_cancelled_wait_for_engines_ends(rc: Client, scheduler: FakeScheduler) -> None:
    before = set(threading.enumerate())
    future = rc.wait_for_engines(9, block=False)
    (thread,) = [each for each in threading.enumerate() if each.name == "paraply-wait" and each not in before]
    assert future is not None
    assert future.cancel()
    eventually(lambda: not thread.is_alive())
    done = rc.wait_for_engines(4, block=False)
    assert done is not None
    done.result(10)
    assert not done.cancel()
    joining = rc.wait_for_engines(5, block=False)
    scheduler.transport.streams[0].send(
        session_pb2.OpenSessionResponse(
            update=session_pb2.SessionUpdate(events=[session_pb2.Event(engine_joined=engine(4))])
        )
    )
    assert joining is not None
    joining.result(10)


def test_flags_of_a_decorated_function_are_for_its_calls_alone(rc: Client) -> None:
    view = rc[:]
    waits, gives = view.remote(block=True)(abs), view.remote(block=False)(abs)
    part = view.parallel(block=True)(list)
    kinds: set[str] = set()
    seen: set[bool] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.add(view.block)

    def call() -> None:
        for _ in range(100):
            waits(-1)
            part([1, 2])
            part.map([[1]])
            kinds.add(type(gives(-1)).__name__)

    watcher = threading.Thread(target=watch)
    watcher.start()
    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    stop.set()
    watcher.join(10)
    assert kinds == {"AsyncResult"}
    assert seen == {False}
    assert len(view.history) == len(rc.history) > 0


def test_sequences_that_cannot_be_cut(rc: Client) -> None:
    values = deque(range(-5, 0))
    assert rc[:2].map_sync(abs, values) == [5, 4, 3, 2, 1]
    assert rc[:2].parallel(block=True)(list)(values) == list(values)
    rc[:2].scatter("a", values, block=True)
    assert rc[:2].gather("a", block=True) == list(values)
    assert sliceable({1: 2, 3: 4}) == sliceable(UserDict({1: 2, 3: 4})) == [1, 3]
    array = np.arange(3)
    assert sliceable(array) is array
    assert sliceable("abc") == "abc"


def test_modules_are_there_without_an_import_of_their_own() -> None:
    code = (
        "import paraply as ipp\n"
        "for module in ('asyncresult', 'client', 'map', 'remotefunction', 'view'):\n"
        "    assert getattr(ipp.client, module).__name__ == f'paraply.client.{module}'\n"
        "assert ipp.client.view.DirectView is ipp.DirectView\n"
        "assert not hasattr(ipp.client, 'nonsense')\n"
        "assert 'view' in dir(ipp.client)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_code_that_is_too_large_says_where_to_put_it(rc: Client) -> None:
    with pytest.raises(ValueError, match="put the code into a module that the engines can import"):
        rc[0].execute("#" * 2_000_000)
