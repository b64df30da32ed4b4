"""Functions: called with what was sent, in the engine's namespace; failures are data."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import numpy
import pytest

from paraply._proto.common.v1 import payload_pb2, task_pb2


def test_a_call_runs_in_the_engine_process(cluster: Any) -> None:
    assert cluster.run(os.getpid).value == cluster.engine.pid
    assert cluster.registrations[0].peer.python_version == sys.version.split()[0]


def test_arguments_and_results_travel(cluster: Any) -> None:
    assert cluster.run(lambda *args, **kwargs: (args, kwargs), 1, "two", three=[3]).value == (
        (1, "two"),
        {"three": [3]},
    )


@pytest.mark.parametrize("size", [10, 100_000, 3_000_000])
def test_arrays_arrive_writable_and_come_back(cluster: Any, size: int) -> None:
    def double(array: Any) -> Any:
        array *= 2
        return array

    sent = numpy.arange(size, dtype=numpy.int64)
    from scripted import to_proto

    from paraply import _serialize

    arguments = to_proto(_serialize.dump_arguments((sent,), {}), cluster.blobs if size > 8192 else None)
    done = cluster.wait(cluster.call_payload(double, arguments))
    numpy.testing.assert_array_equal(done.value, sent * 2)
    stored = any(buffer.HasField("blob") for buffer in done.outcome.result.buffers)
    assert stored == (size > 8192), "what is large goes through the blob store"


@pytest.mark.parametrize("size", [10, 100_000])
def test_portable_arguments_are_answered_portably(cluster: Any, size: int) -> None:
    from scripted import to_proto

    from paraply._serialize import portable

    def scaled(array: Any, by: int) -> Any:
        array *= by
        return {"array": array, "by": by}

    sent = numpy.arange(size, dtype=numpy.int64)
    arguments = to_proto(portable.dump([sent, 3]), cluster.blobs if size > 8192 else None)
    done = cluster.wait(cluster.call_payload(scaled, arguments))
    assert done.outcome.result.encoding == payload_pb2.ENCODING_MSGPACK
    numpy.testing.assert_array_equal(done.value["array"], sent * 3)
    alone = cluster.wait(cluster.call_payload(lambda *, array: array, to_proto(portable.dump({"array": sent[:5]}))))
    assert alone.outcome.result.encoding == payload_pb2.ENCODING_NDARRAY
    assert alone.value.tolist() == [0, 1, 2, 3, 4]


def test_portable_arguments_without_a_portable_answer(cluster: Any) -> None:
    from scripted import to_proto

    from paraply._serialize import Encoding, Payload

    nothing = payload_pb2.Payload(encoding=payload_pb2.ENCODING_MSGPACK)
    done = cluster.wait(cluster.call_payload(lambda: {1, 2}, nothing))
    assert done.outcome.result.encoding == payload_pb2.ENCODING_PICKLE5 and done.value == {1, 2}
    broken = to_proto(Payload(Encoding.MSGPACK, b"\x92\x01"))
    failure = cluster.wait(cluster.call_payload(len, broken)).failure
    assert failure.kind == task_pb2.FAILURE_KIND_UNREADABLE and "MSGPACK" in failure.message


def test_a_large_plain_result_goes_through_the_blob_store(cluster: Any) -> None:
    done = cluster.run(lambda: list(range(100_000)))
    assert done.outcome.result.HasField("data_blob")
    assert done.value == list(range(100_000))


def test_arguments_that_the_store_lost_fail_their_task_only(cluster: Any) -> None:
    from scripted import to_proto

    from paraply import _serialize

    lost: dict[bytes, bytes] = {}
    arguments = to_proto(_serialize.dump_arguments((numpy.zeros(100_000),), {}), lost)
    failure = cluster.wait(cluster.call_payload(len, arguments)).failure
    assert failure.kind == task_pb2.FAILURE_KIND_REFUSED and "no such blob" in failure.message
    assert cluster.run(int, 3).value == 3


def typed_by_the_user(source: str) -> Any:
    """A function as if it had been typed at a prompt: its globals are the engine's namespace."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(source, scope)
    return next(value for name, value in scope.items() if not name.startswith("__"))


def test_the_namespace_is_main_and_stays(cluster: Any) -> None:
    remember = typed_by_the_user("def remember(value):\n    global remembered\n    remembered = value")
    recall = typed_by_the_user("def recall():\n    return remembered")
    cluster.run(remember, 42)
    assert cluster.run(recall).value == 42
    assert cluster.run(lambda: sys.modules["__main__"].__dict__["remembered"]).value == 42
    assert cluster.run(lambda: sys.modules["__main__"].__spec__).value is None
    assert cluster.run(lambda: hasattr(sys.modules["__main__"], "__file__")).value is False


def test_imports_come_from_the_working_directory(cluster: Any) -> None:
    assert cluster.run(lambda: sys.path[0]).value == ""
    assert cluster.run(os.getcwd).value == os.getcwd()


def test_an_exception_is_data(cluster: Any) -> None:
    def divide() -> float:
        return 1 / 0

    failure = cluster.run(divide).failure
    assert failure.kind == task_pb2.FAILURE_KIND_EXCEPTION
    assert (failure.type_name, failure.message, failure.engine_id) == ("ZeroDivisionError", "division by zero", 5)
    assert "in divide" in failure.traceback and failure.traceback.endswith("ZeroDivisionError: division by zero")
    assert "paraply_engine" not in failure.traceback and "_serialize" not in failure.traceback
    assert failure.HasField("exception")


def test_an_exception_that_cannot_be_printed_is_still_data(cluster: Any) -> None:
    def fail() -> None:
        class Silent(Exception):
            def __str__(self) -> str:
                raise ValueError("no words")

            def __reduce__(self) -> Any:
                raise TypeError("no pickle")

        raise Silent

    failure = cluster.run(fail).failure
    assert failure.type_name == "Silent" and "Failed to cast exception to string" in failure.message
    assert not failure.HasField("exception")


def test_a_long_message_is_shortened(cluster: Any) -> None:
    def fail() -> None:
        raise ValueError("x" * 5_000_000)

    failure = cluster.run(fail).failure
    assert "characters left out" in failure.message and failure.ByteSize() < 200_000


def test_a_result_that_cannot_be_pickled_says_where(cluster: Any) -> None:
    def fail() -> Any:
        import threading

        return {"a": [threading.Lock()]}

    failure = cluster.run(fail).failure
    assert "lock" in failure.message and "['a'][0]" in failure.message


def test_sys_exit_ends_the_task_only(cluster: Any) -> None:
    assert cluster.run(sys.exit, 3).failure.type_name == "SystemExit"
    assert cluster.run(os.getpid).value == cluster.engine.pid


def test_code_of_another_python_is_refused_before_it_is_unpickled(cluster: Any) -> None:
    from scripted import to_proto

    from paraply import _serialize

    arguments = to_proto(_serialize.dump_arguments((), {}))
    index = cluster.call_payload(lambda: "never unpickled", arguments, python_version="3.99")
    failure = cluster.wait(index).failure
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert failure.kind == task_pb2.FAILURE_KIND_UNREADABLE
    assert "3.99" in failure.message and here in failure.message


def test_bytes_that_are_no_function_are_unreadable(cluster: Any) -> None:
    from scripted import to_proto

    from paraply import _serialize

    arguments = to_proto(_serialize.dump_arguments((), {}))
    failure = cluster.wait(cluster.call_payload(lambda: "garbage", arguments, data=b"no pickle")).failure
    assert failure.kind == task_pb2.FAILURE_KIND_UNREADABLE
    failure = cluster.wait(
        cluster.call_payload(lambda: "reference", arguments, encoding=6, data=b"no.such:thing")
    ).failure
    assert failure.type_name == "ModuleNotFoundError"


def test_the_current_task_knows_itself(cluster: Any) -> None:
    def who() -> Any:
        import paraply_engine

        task = paraply_engine.current_task()
        return task.id, task.attempt

    index = cluster.call(who)
    assert cluster.wait(index).value == (f"{bytes(range(16)).hex()}_{index}", 1)


def test_times_are_those_of_the_engine(cluster: Any) -> None:
    before = time.time_ns()
    outcome = cluster.run(time.sleep, 0.05).outcome
    assert before <= outcome.started_unix_nanos <= outcome.finished_unix_nanos - 50_000_000
    assert outcome.finished_unix_nanos <= time.time_ns()
