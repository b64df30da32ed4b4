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
from scripted import to_proto

from paraply import _serialize
from paraply._proto.common.v1 import task_pb2


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
    deadline = time.monotonic() + scripted.PATIENCE
    while fresh.reads < 2:  # it was claimed before the engine tried again
        assert time.monotonic() < deadline
        time.sleep(0.005)
    fresh.cancel(index)
    assert fresh.wait(index).failure.kind == task_pb2.FAILURE_KIND_CANCELLED
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


def store_again(fresh: Any) -> int:
    """A result in a store, and a new scheduler with an empty one that fails."""
    fresh.hold_acks = True
    index: int = fresh.call(bytes, 1_000_000)
    fresh.wait(index)
    fresh.blobs.clear()
    fresh.epoch += 1
    del fresh._done[index]
    fresh.hold_acks = False
    return index


def test_an_engine_that_stores_results_again_hears_what_else_there_is(fresh: Any, engine: Any) -> None:
    index = store_again(fresh)
    fresh.store_fails = grpc.StatusCode.UNAVAILABLE
    fresh._to_engine.put(None)
    fresh.hellos.get(timeout=scripted.PATIENCE)
    # What comes after the welcome is kept until the store has everything.
    later = fresh.call(int, 4)
    fresh.store_fails = None
    assert len(fresh.wait(index).value) == 1_000_000
    assert fresh.wait(later).value == 4


def test_sigterm_ends_an_engine_whose_store_does_not_come_back(fresh: Any, engine: Any) -> None:
    store_again(fresh)
    fresh.store_fails = grpc.StatusCode.UNAVAILABLE
    fresh._to_engine.put(None)
    fresh.hellos.get(timeout=scripted.PATIENCE)
    os.kill(engine.pid, signal.SIGTERM)
    assert engine.process.wait(scripted.PATIENCE) == 0


def test_a_result_that_a_new_store_refuses_is_a_failure(fresh: Any, engine: Any) -> None:
    index = store_again(fresh)
    fresh.store_fails = grpc.StatusCode.RESOURCE_EXHAUSTED
    fresh._to_engine.put(None)
    failure = fresh.wait(index).failure
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
