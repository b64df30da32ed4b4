"""The client over a fake transport, whose scheduler runs tasks at once."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
from collections.abc import Sequence

import numpy as np
import pytest
from fake_client import INFO, eventually
from fake_scheduler import FakeScheduler, engine, update

import paraply as ipp
from paraply import error
from paraply._blobs import Part, ResultBlob
from paraply._proto.scheduler.v1 import session_pb2
from paraply._serialize import BytesLike
from paraply.client.client import Client


def send(scheduler: FakeScheduler, *events: session_pb2.Event) -> None:
    scheduler.transport.streams[-1].send(update(*events))


def test_engines(rc: Client) -> None:
    assert rc.ids == [0, 1, 2, 3]
    assert len(rc) == 4
    assert [view.targets for view in rc] == [0, 1, 2, 3]


def test_indexing(rc: Client, scheduler: FakeScheduler) -> None:
    assert rc[2].targets == 2
    assert rc[-1].targets == 3
    assert rc[1:3].targets == [1, 2]
    assert rc[[0, 2]].targets == [0, 2]
    assert rc[0, 3].targets == [0, 3]
    assert rc[range(2)].targets == [0, 1]
    with pytest.raises(IndexError, match="No such engine: 99"):
        rc[99]
    with pytest.raises(KeyError):
        rc[[0, 99]]
    for key in ("all", 1.5, None, {1}):
        with pytest.raises(TypeError):
            rc[key]  # type: ignore[index]
    for each in range(4):
        send(scheduler, session_pb2.Event(engine_left=session_pb2.EngineLeft(engine_id=each)))
    eventually(lambda: not rc.ids)
    with pytest.raises(error.NoEnginesRegistered):
        rc[:]


def test_apply(rc: Client) -> None:
    assert rc[0].apply_sync(lambda x: x + 1, 1) == 2
    assert rc[:].apply_sync(lambda x: x + 1, 1) == [2] * 4
    assert rc[[0]].apply_sync(abs, -3) == [3]
    assert rc.load_balanced_view().apply_sync(abs, -3) == 3


def test_map(rc: Client) -> None:
    view = rc.load_balanced_view()
    result = view.map_async(abs, range(-5, 5))
    assert list(result) == [abs(each) for each in range(-5, 5)]
    assert result.get() == [abs(each) for each in range(-5, 5)]
    assert len(set(result.msg_ids)) == 10
    assert (len(result), result.progress) == (10, 10)
    assert rc[:].map_sync(abs, range(-5, 5)) == result.get()
    assert view.map_async(abs, []) == []
    assert list(view.map_async(abs, [])) == []


def test_many_tasks_come_in_few_messages(rc: Client, scheduler: FakeScheduler) -> None:
    assert rc.load_balanced_view().map_sync(abs, range(5000)) == list(range(5000))
    assert sum(request.HasField("submit") for request in scheduler.transport.streams[0].requests) < 10


def test_errors(rc: Client) -> None:
    with pytest.raises(error.RemoteError, match=r"\[0:apply\] ZeroDivisionError: division by zero"):
        rc[0].apply_sync(lambda: 1 / 0)
    with pytest.raises(error.CompositeError) as caught:
        rc[:].apply_sync(lambda: 1 / 0)
    assert [info["engine_id"] for *_, info in caught.value.elist] == [0, 1, 2, 3]  # type: ignore[index]
    result = rc[:].apply_async(lambda: 1 / 0)
    assert [repr(each) for each in result.get(return_exceptions=True)][1] == (
        "<RemoteError[1]:ZeroDivisionError(division by zero)>"
    )
    with pytest.raises(error.CompositeError):
        result.get()
    assert not result.successful()
    assert repr(result).endswith("failed>")


def test_not_ready(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    result = rc[:].apply_async(abs, -1)
    assert repr(result) == "<AsyncResult(abs): pending>"
    for ask in (lambda: result.get(0), lambda: result.get(0.01), lambda: result[0], lambda: result.wall_time):
        with pytest.raises(TimeoutError):
            ask()
    with pytest.raises(RuntimeError):
        result.successful()
    assert not result.wait(0.01)
    assert result.engine_id == [0, 1, 2, 3]
    assert result.elapsed > 0
    assert rc.outstanding == set(result.msg_ids) == set(rc.history)
    eventually(lambda: len(scheduler.held) == 4)
    scheduler.release(scheduler.transport.streams[0].send)
    assert result.get(10) == [1] * 4
    assert repr(result) == "<AsyncResult(abs): finished>"
    assert result.status == ["ok"] * 4
    assert result.serial_time == pytest.approx(2.0)
    assert rc.outstanding == set()


def test_metadata(rc: Client) -> None:
    result = rc[1].apply_async(abs, -1)
    result.get()
    assert result.engine_id == result["engine_id"] == result.metadata.engine_id == 1
    assert result.engine_uuid == (bytes([1]) * 16).hex()
    assert (result.completed - result.started).total_seconds() == 0.5
    assert result.submitted.tzinfo is not None
    assert result.msg_id == result.msg_ids[0] == rc.history[0]
    with pytest.raises(KeyError):
        result["nonsense"]
    with pytest.raises(AttributeError):
        result.nonsense  # noqa: B018
    with pytest.raises(KeyError):
        result.metadata["nonsense"] = 1
    assert result.result_dict == {1: 1}


def test_is_a_future(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    results = [rc[0].apply_async(abs, -each) for each in range(3)]
    called: list[tuple[object, str]] = []
    results[0].add_done_callback(lambda future: called.append((future.get(), threading.current_thread().name)))
    done, pending = concurrent.futures.wait(results, 0)
    assert (len(done), len(pending)) == (0, 3)
    eventually(lambda: len(scheduler.held) == 3)
    scheduler.release(scheduler.transport.streams[0].send)
    assert len(concurrent.futures.wait(results, 10).done) == 3
    assert {future.result() for future in concurrent.futures.as_completed(results, 10)} == {0, 1, 2}
    eventually(lambda: called == [(0, "paraply-callbacks")])

    async def wait_for_it() -> object:
        return await results[2]

    assert asyncio.run(wait_for_it()) == 2


def test_split_and_join(rc: Client) -> None:
    result = rc[:].apply_async(abs, -1)
    parts = result.split()
    assert [part.get() for part in parts] == [1] * 4
    assert ipp.AsyncResult.join(*parts).get() == [1] * 4
    done, pending = result.wait(return_when=ipp.ALL_COMPLETED)
    assert (len(done), len(pending)) == (4, 0)


def test_unordered_iteration(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: index == 0
    result = rc.load_balanced_view().map_async(abs, range(4), ordered=False)
    items = iter(result)
    assert sorted(next(items) for _ in range(3)) == [1, 2, 3]
    scheduler.release(scheduler.transport.streams[0].send)
    assert list(items) == [0]


def test_abort(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    result = rc[0].apply_async(abs, -1)
    eventually(lambda: scheduler.held)
    result.abort()
    with pytest.raises(error.TaskAborted, match=result.msg_ids[0]):
        result.get(10)
    with pytest.raises(RuntimeError, match="already done"):
        result.abort()


def test_large_values_go_by_the_blob_store(rc: Client, scheduler: FakeScheduler) -> None:
    array = np.arange(100_000.0)
    rc[0].push({"a": array}, block=True)
    back = rc[0].pull("a", block=True)
    assert np.array_equal(array, back)
    back[0] = 7
    assert back.flags.writeable
    names = set(scheduler.transport.blobs)
    assert len(names) == 2
    del back
    gc.collect()
    rc[0].apply_sync(abs, 1)
    eventually(lambda: scheduler.released)
    assert set(scheduler.released) < names


def test_a_broken_stream_is_resumed(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    result = rc[:].apply_async(abs, -1)
    eventually(lambda: len(scheduler.held) == 4)
    scheduler.transport.streams[0].cancel()
    eventually(lambda: len(scheduler.transport.streams) == 2 and scheduler.transport.streams[1].requests)
    scheduler.release(scheduler.transport.streams[1].send)
    assert result.get(10) == [1] * 4
    assert scheduler.transport.streams[1].requests[0].hello.resume.next_index == 4
    assert scheduler.ran == [0, 1, 2, 3]


def test_a_restarted_scheduler_gets_all_again(rc: Client, scheduler: FakeScheduler) -> None:
    rc[0].apply_sync(abs, 1)
    scheduler.hold = lambda index: True
    result = rc.load_balanced_view().map_async(abs, range(1000))
    array = rc[:].apply_async(np.sum, np.ones(10_000))
    eventually(lambda: len(scheduler.held) == 1004 and scheduler.transport.blobs)
    scheduler.held.clear()
    scheduler.functions.clear()
    scheduler.transport.blobs.clear()
    scheduler.epoch, scheduler.sequence, scheduler.accepted = 2, 0, 0
    scheduler.transport.streams[0].cancel()
    eventually(lambda: len(scheduler.held) == 1004 and scheduler.transport.blobs)
    scheduler.release(scheduler.transport.streams[-1].send)
    assert result.get(10) == list(range(1000))
    assert array.get(10) == [10_000] * 4


def test_a_large_argument_for_one_engine_goes_when_it_is_asked_for(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    array = np.ones(10_000)
    result = rc[0].apply_async(np.sum, array)
    eventually(lambda: scheduler.held)
    assert not scheduler.transport.blobs
    assert not result.sent
    with pytest.raises(TimeoutError):
        result.wait_for_send(0.01)
    scheduler.release(scheduler.transport.streams[0].send)
    assert result.get(10) == 10_000
    assert result.sent


def test_large_parts_of_a_scattered_array_wait_here_for_their_engines(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    array = np.arange(40_000.0)
    result = rc[:].scatter("part", array, block=False)
    assert result is not None
    eventually(lambda: len(scheduler.held) == 4)
    assert not scheduler.transport.blobs
    scheduler.release(scheduler.transport.streams[0].send)
    result.get(10)
    scheduler.hold = lambda index: False
    np.testing.assert_array_equal(rc[:].gather("part", block=True), array)
    small = rc[:].scatter("part", range(8), block=False)
    assert small is not None
    assert len({task.call for task in result._tasks}) == 4
    assert len({task.call for task in small._tasks}) == 1


def test_large_results_of_one_call_are_read_side_by_side(rc: Client, scheduler: FakeScheduler) -> None:
    fetched: list[int] = []
    fetch = rc._link.blobs.fetch

    def counted(parts: Sequence[Part], *, joined: bool = False) -> list[BytesLike]:
        fetched.append(sum(isinstance(part, ResultBlob) for part in parts))
        return fetch(parts, joined=joined)

    rc._link.blobs.fetch = counted  # type: ignore[method-assign]
    whole = np.arange(400_000).reshape(-1, 2)
    rc[:].scatter("part", whole, block=True)
    assert [part.sum() for part in rc[:].pull("part", block=True)] == [part.sum() for part in np.split(whole, 4)]
    assert fetched[0] == 4
    joined = rc[:].gather("part", block=True)
    np.testing.assert_array_equal(joined, whole)
    joined[:] = 7
    assert joined.base is not None, "the parts came into one piece of memory"
    assert (rc[:].gather("part", block=True) == whole).all()


def test_a_buffer_may_be_changed_once_an_engine_has_it(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    result = rc[0].apply_async(np.sum, np.ones(10_000))
    eventually(lambda: scheduler.held)
    (call,) = {task.call for task in result._tasks}
    update = session_pb2.SessionUpdate(taken_blobs=[blob.blob_id for blob in call.blobs])
    scheduler.transport.streams[0].send(session_pb2.OpenSessionResponse(update=update))
    result.wait_for_send(10)
    assert [blob.data for blob in call.blobs] == [None]


def test_what_a_restarted_scheduler_may_need_again_is_not_the_users_buffer(
    rc: Client, scheduler: FakeScheduler
) -> None:
    scheduler.hold = lambda index: True
    array = np.ones(10_000)
    result = rc[:].apply_async(np.sum, array)
    eventually(lambda: scheduler.transport.blobs)
    result.wait_for_send(10)
    array[:] = 7
    (blob,) = result._tasks[0].call.blobs
    assert np.frombuffer(blob.data).sum() == 10_000


def test_waiting(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    result = rc[0].apply_async(abs, 1)
    assert not rc.wait(timeout=0.01)
    assert not rc.wait(result, timeout=0.01)
    assert not rc.wait(result.msg_ids, timeout=0.01)
    other: concurrent.futures.Future[int] = concurrent.futures.Future()
    assert not rc.wait([other], timeout=0.01)
    eventually(lambda: scheduler.held)
    scheduler.release(scheduler.transport.streams[0].send)
    assert rc.wait(timeout=10)
    assert rc.wait([result, -1, *rc.history])
    with pytest.raises(TypeError):
        rc.wait(1.5)


def test_get_result(rc: Client) -> None:
    result = rc[0].apply_async(abs, -5)
    assert rc.get_result(result.msg_ids[0]).get() == 5
    assert rc.get_result(-1).get() == 5
    assert rc.get_result([0]).get() == [5]
    assert rc.results[result.msg_ids[0]] == 5
    assert rc.metadata[result.msg_ids[0]].engine_id == 0
    rc.purge_local_results(result)
    assert list(rc.results) == []


def test_results_are_not_kept_when_nobody_has_them(rc: Client) -> None:
    rc.load_balanced_view().map_sync(abs, range(100))
    gc.collect()
    assert len(rc.results) == 0
    assert rc._link._session._calls == {}


def test_wait_for_engines(rc: Client, scheduler: FakeScheduler) -> None:
    rc.wait_for_engines(4, timeout=0)
    with pytest.raises(TimeoutError, match=r"5 engines not ready in 0.1 seconds. Currently ready: 4"):
        rc.wait_for_engines(5, timeout=0.1)
    with pytest.raises(TypeError):
        rc.wait_for_engines()
    future = rc.wait_for_engines(5, block=False)
    assert future is not None
    send(scheduler, session_pb2.Event(engine_joined=engine(4)))
    future.result(10)
    future = rc.wait_for_engines(6, block=False)
    send(scheduler, session_pb2.Event(engine_left=session_pb2.EngineLeft(engine_id=2, reason="connection closed")))
    with pytest.raises(error.EngineError, match="Engine 2 left while we waited for 6 engines: connection closed"):
        future.result(10)
    assert rc.ids == [0, 1, 3, 4]


def test_closing(scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    rc = Client(INFO, transport=scheduler.transport)
    result = rc[0].apply_async(abs, 1)
    rc.close()
    rc.close()
    with pytest.raises(OSError, match="closed"):
        result.get(10)
    with pytest.raises(OSError, match="closed"):
        rc.direct_view([0]).apply_async(abs, 1)
    assert repr(rc) == "<Client: closed>"


def test_an_expired_session_fails_what_waits_for_it(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    result = rc[0].apply_async(abs, 1)
    closed = session_pb2.SessionClosed(reason=session_pb2.SessionClosed.REASON_EXPIRED)
    scheduler.transport.streams[0].send(session_pb2.OpenSessionResponse(closed=closed))
    with pytest.raises(ConnectionError, match="expired"):
        result.get(10)


def test_another_protocol_is_refused_by_name(scheduler: FakeScheduler) -> None:
    def newer(request: object) -> object:
        answer = scheduler.cluster_info(request)  # type: ignore[arg-type]
        answer.controller.protocol_min = answer.controller.protocol_max = 9
        return answer

    scheduler.transport.unary = dict.fromkeys(scheduler.transport.unary, newer)
    with pytest.raises(ConnectionError, match=r"revisions 9 to 9, this client .* 1 to 1"):
        Client(INFO, transport=scheduler.transport)


def test_another_cluster_is_not_taken(scheduler: FakeScheduler) -> None:
    with pytest.raises(ConnectionError, match="this is cluster 'c', not 'mine'"):
        Client({**INFO, "cluster_id": "mine"}, transport=scheduler.transport, timeout=0.1)


def test_too_large_functions_and_code_are_refused(rc: Client) -> None:
    data = bytes(2_000_000)
    with pytest.raises(ValueError, match=r"comes to 2\d{6} bytes, over the limit .* \(message_bytes\)"):
        rc[0].apply_async(lambda: data)
    with pytest.raises(ValueError, match="message_bytes"):
        rc[0].execute("#" * 2_000_000)
    assert rc[0].apply_sync(abs, -1) == 1


def test_display_outputs(rc: Client, scheduler: FakeScheduler, capsys: pytest.CaptureFixture[str]) -> None:
    scheduler.hold = lambda index: True
    result = rc[:2].execute("x = 1")
    with pytest.raises(TimeoutError, match="result not ready"):
        result.display_outputs()
    eventually(lambda: len(scheduler.held) == 2)
    for index, text in ((0, b"hi\n"), (1, b"two\nlines\n")):
        output = session_pb2.TaskOutput(index=index, attempt=1, engine_id=index)
        output.output.kind = 1
        output.output.data = text
        scheduler.sequence += 1
        send(scheduler, session_pb2.Event(sequence=scheduler.sequence, output=output))
    scheduler.release(scheduler.transport.streams[0].send)
    result.get(10)
    result.display_outputs()
    assert capsys.readouterr().out == "[stdout:0] hi\n[stdout:1] \ntwo\nlines\n"
    with pytest.raises(ValueError, match="groupby"):
        result.display_outputs("nonsense")
    assert result.stdout == ["hi\n", "two\nlines\n"]


def test_output_is_streamed(rc: Client, scheduler: FakeScheduler, capsys: pytest.CaptureFixture[str]) -> None:
    scheduler.hold = lambda index: True
    result = rc[[0]].execute("x = 1")
    eventually(lambda: scheduler.held)
    shown = ""

    def more() -> str:
        nonlocal shown
        shown += capsys.readouterr().out
        return shown

    with result.stream_output():
        for offset, text in ((0, b"one\ntw"), (6, b"o\n"), (8, b"three")):
            output = session_pb2.TaskOutput(index=0, attempt=1, engine_id=0)
            output.output.MergeFrom(type(output.output)(kind=1, offset=offset, data=text))  # type: ignore[arg-type]
            scheduler.sequence += 1
            send(scheduler, session_pb2.Event(sequence=scheduler.sequence, output=output))
        eventually(lambda: more() == "[stdout:0] one\n[stdout:0] two\n" or "\none\ntwo\n" in shown)
        scheduler.release(scheduler.transport.streams[0].send)
        result.wait()
    assert more().endswith("[stdout:0] three\n")
