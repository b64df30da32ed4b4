"""The blob store from the engine's side: stores that fail, move or begin anew, and tasks that wait for them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import scripted
from home import eventually
from scripted import to_proto

from paraply import _serialize
from paraply._proto.common.v1 import task_pb2
from paraply._proto.scheduler.v1 import engine_link_pb2 as link


@pytest.fixture
def engine(fresh: Any) -> Iterator[Any]:
    """An engine of the test's own."""
    started = scripted.Engine(fresh, "--stop-grace", "0.5")
    fresh.hellos.get(timeout=scripted.PATIENCE)
    yield started
    print(started.logged())
    started.stop()


def call_with_blob(fresh: Any, function: Any = len) -> int:
    arguments = to_proto(_serialize.dump_arguments((bytes(100_000),), {}), fresh.blobs)
    index: int = fresh.call_payload(function, arguments)
    return index


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN])
def test_a_store_that_keeps_failing_without_a_reason_fails_the_task(fresh: Any, engine: Any, code: Any) -> None:
    fresh.store_fails = code
    failure = fresh.wait(call_with_blob(fresh)).failure
    assert failure.kind == task_pb2.FAILURE_KIND_REFUSED and "the store says no" in failure.message


def test_a_task_that_waits_for_its_arguments_can_be_interrupted(fresh: Any, engine: Any) -> None:
    fresh.store_fails = grpc.StatusCode.UNAVAILABLE
    index = call_with_blob(fresh)
    eventually(lambda: fresh.reads >= 2, "it asks again")
    fresh.cancel(index)
    assert fresh.wait(index).failure.kind == task_pb2.FAILURE_KIND_ABORTED, "it had not been claimed"
    assert fresh.run(int, 3).value == 3


def test_a_fetch_goes_on_where_the_scheduler_has_moved(fresh: Any, engine: Any, tmp_path: Any) -> None:
    fresh.store_fails = grpc.StatusCode.UNAVAILABLE
    index = call_with_blob(fresh)
    elsewhere = scripted.Scripted(tmp_path)
    elsewhere.blobs = fresh.blobs
    fresh.scheduler_port = elsewhere.port
    fresh.lose_controller.set()
    try:
        assert fresh.wait(index).value == 100_000
    finally:
        elsewhere.server.stop(0).wait()


@pytest.mark.parametrize("count", [3000, 20_000])
def test_a_result_of_very_many_arrays_comes_back(fresh: Any, engine: Any, count: int) -> None:
    def make(count: int) -> Any:
        import numpy

        return [numpy.full(300, n) for n in range(count)]

    done = fresh.run(make, count)
    assert [array[299] for array in done.value] == list(range(count))
    assert done.outcome.ByteSize() < 1 << 20 and len(done.outcome.result.buffers) <= 256


def keep_a_result(fresh: Any) -> int:
    """A finished task whose result stays at the engine, since nobody asks for it; its index."""
    fresh.fetches_results = False
    index: int = fresh.call(bytes, 1_000_000)
    fresh.wait(index)
    return index


def test_a_result_is_kept_until_it_is_released(fresh: Any, engine: Any) -> None:
    index = keep_a_result(fresh)
    assert not fresh.headers, "nobody has asked for it"
    for _ in range(2):
        fresh.blobs.clear()
        fresh.want(fresh.kept[index])
        eventually(lambda: fresh.blobs, "it is there")
    assert all(header.transfer_id and not header.only_copy for header in fresh.headers)
    fresh.order(link.EngineOrders(release_blobs=fresh.kept[index]))
    fresh._to_engine.put(None)
    assert not fresh.hellos.get(timeout=scripted.PATIENCE).kept_blobs


def test_a_result_that_is_to_be_stored_leaves_the_engine(fresh: Any, engine: Any) -> None:
    index = keep_a_result(fresh)
    fresh.order(link.EngineOrders(store_blobs=fresh.kept[index]))
    eventually(lambda: fresh.headers, "it is offered")
    (header,) = fresh.headers
    assert header.only_copy and not header.transfer_id
    assert fresh.run(int, 4).value == 4
    fresh._to_engine.put(None)
    assert not fresh.hellos.get(timeout=scripted.PATIENCE).kept_blobs


def test_a_result_that_the_store_refuses_stays(fresh: Any, engine: Any) -> None:
    index = keep_a_result(fresh)
    fresh.store_fails = grpc.StatusCode.RESOURCE_EXHAUSTED
    fresh.order(link.EngineOrders(store_blobs=fresh.kept[index]))
    eventually(lambda: "the store did not take it" in engine.logged(), "it complains")
    fresh.store_fails = None
    fresh.want(fresh.kept[index])
    eventually(lambda: fresh.blobs, "it is there")


def test_an_engine_stores_what_it_keeps_before_it_leaves(fresh: Any, patient_engine: Any) -> None:
    index = keep_a_result(fresh)
    os.kill(patient_engine.pid, signal.SIGTERM)
    assert patient_engine.wait() == 0
    assert list(fresh.blobs) == fresh.kept[index]


def test_sigterm_ends_an_engine_whose_store_does_not_answer(fresh: Any, engine: Any) -> None:
    keep_a_result(fresh)
    fresh.store_fails = grpc.StatusCode.UNAVAILABLE
    os.kill(engine.pid, signal.SIGTERM)
    assert engine.wait() == 0


@pytest.fixture
def patient_engine(fresh: Any) -> Iterator[Any]:
    """An engine that takes its time to leave."""
    started = scripted.Engine(fresh, "--stop-grace", "15")
    fresh.hellos.get(timeout=scripted.PATIENCE)
    yield started
    started.stop()


@pytest.fixture
def small_engine(fresh: Any) -> Iterator[Any]:
    """An engine that keeps 200,000 bytes of results."""
    started = scripted.Engine(fresh, "--stop-grace", "0.5", "--result-bytes", "200000")
    fresh.hellos.get(timeout=scripted.PATIENCE)
    yield started
    started.stop()


def test_a_result_without_room_is_stored_before_it_is_reported(fresh: Any, small_engine: Any) -> None:
    fresh.fetches_results = False
    kept, stored = fresh.call(bytes, 150_000), fresh.call(bytes, 150_000)
    assert len(fresh.wait(stored).value) == 150_000
    assert fresh.kept[kept] and not fresh.kept[stored]
    fresh.order(link.EngineOrders(release_blobs=fresh.kept[kept]))
    again = fresh.call(bytes, 150_000)
    fresh.wait(again)
    assert fresh.kept[again], "there is room again"


def test_a_result_without_room_anywhere_is_a_failure(fresh: Any, small_engine: Any) -> None:
    fresh.store_fails = grpc.StatusCode.RESOURCE_EXHAUSTED
    failure = fresh.run(bytes, 1_000_000).failure
    assert failure.kind == task_pb2.FAILURE_KIND_REFUSED and "the store says no" in failure.message


def test_a_token_that_was_rotated_is_used(fresh: Any, engine: Any) -> None:
    fresh.token = "fedcba9876543210fedcba9876543210"
    fresh.write_connection()
    fresh.lose_controller.set()
    deadline = time.monotonic() + scripted.PATIENCE
    while len(fresh.registrations) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert fresh.run(int).value == 0
    fresh._to_engine.put(None)
    fresh.hellos.get(timeout=scripted.PATIENCE)
    assert fresh.tokens == [scripted.TOKEN, fresh.token]
