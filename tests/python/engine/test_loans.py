"""Large results are read where the task left them, until another task could change them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import scripted
from home import eventually

from paraply._proto.scheduler.v1 import engine_link_pb2 as link

BYTES = 32 << 20


@pytest.fixture
def lender(fresh: Any) -> Iterator[Any]:
    """A cluster that does not ask for results, and an engine in it that has an array."""
    fresh.fetches_results = False
    started = scripted.Engine(fresh, "--stop-grace", "0.5")
    fresh.hellos.get(timeout=scripted.PATIENCE)
    assert fresh.run_code(f"import numpy; array = numpy.zeros({BYTES}, dtype='u1')").outcome.HasField("result")
    yield fresh
    print(started.logged())
    started.stop()


def call_for_the_array(lender: Any) -> int:
    # What is in a function is sent; the engine does not have this module.
    def the_array() -> Any:
        import __main__

        return __main__.array

    return int(lender.call(the_array))


def call_for_a_new_array(lender: Any, gone: Path) -> int:
    """Whose end leaves a file."""

    def a_new_array(size: int, gone: str) -> Any:
        import weakref
        from pathlib import Path

        import numpy

        array = numpy.zeros(size, dtype="u1")
        weakref.finalize(array, Path(gone).touch)
        return array

    return int(lender.call(a_new_array, BYTES, str(gone)))


def pull(lender: Any) -> bytes:
    """Runs a task whose result stays at the engine; the name of the part that does."""
    index = call_for_the_array(lender)
    lender.wait(index)
    (name,) = lender.kept[index]
    return bytes(name)


def read(lender: Any, name: bytes) -> bytes:
    lender.blobs.pop(name, None)
    lender.want([name])
    eventually(lambda: name in lender.blobs, "it is there")
    return bytes(lender.blobs[name])


def test_a_later_task_does_not_change_a_result(lender: Any) -> None:
    before = pull(lender)
    assert lender.run_code("array[:] = 1").outcome.HasField("result")
    after = pull(lender)
    assert read(lender, before) == bytes(BYTES)
    assert read(lender, after) == bytes([1]) * BYTES
    assert read(lender, before) == bytes(BYTES), "again, since nobody has released it"


def test_tasks_that_come_together_do_not_either(lender: Any) -> None:
    calls = []
    for value in range(1, 4):
        calls.append(call_for_the_array(lender))
        lender.execute(f"array[:] = {value}")
    for value, index in enumerate(calls):
        lender.wait(index)
        assert read(lender, lender.kept[index][0]) == bytes([value]) * BYTES


def test_a_task_does_not_change_what_is_under_way(lender: Any) -> None:
    name = pull(lender)
    lender.reading.clear()
    lender.want([name])
    eventually(lambda: lender.begun, "it has begun")
    assert lender.run_code("array[:] = 1").outcome.HasField("result")
    lender.reading.set()
    eventually(lambda: name in lender.blobs, "it is there")
    assert lender.blobs[name] == bytes(BYTES)


def test_a_task_finds_its_array_unshared(lender: Any) -> None:
    name = pull(lender)
    # Numpy refuses to resize what anything else refers to.
    done = lender.run_code("array.resize(10)")
    assert done.outcome.HasField("result"), done.failure
    assert read(lender, name) == bytes(BYTES)


def test_what_is_lent_is_not_copied_and_let_go_when_it_is_released(lender: Any, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    index = call_for_a_new_array(lender, gone)
    lender.wait(index)
    assert read(lender, lender.kept[index][0]) == bytes(BYTES)
    assert not gone.exists(), "it is the array itself that was read"
    lender.order(link.EngineOrders(release_blobs=lender.kept[index]))
    eventually(gone.exists, "nothing else runs, and it is let go")


def test_a_release_ends_what_is_under_way(lender: Any, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    index = call_for_a_new_array(lender, gone)
    lender.wait(index)
    lender.reading.clear()
    lender.want(lender.kept[index])
    eventually(lambda: lender.begun, "it has begun")
    lender.order(link.EngineOrders(release_blobs=lender.kept[index]))
    eventually(gone.exists, "nobody waits for who does not read")
    lender.reading.set()
    assert read(lender, pull(lender)) == bytes(BYTES), "the engine goes on"
    assert not lender.blobs.keys() & set(lender.kept[index])


def test_a_thread_that_could_change_it_has_it_copied(lender: Any, tmp_path: Path) -> None:
    source = "import threading; stop = threading.Event(); threading.Thread(target=stop.wait, daemon=True).start()"
    assert lender.run_code(source).outcome.HasField("result")
    gone = tmp_path / "gone"
    index = call_for_a_new_array(lender, gone)
    lender.wait(index)
    eventually(gone.exists, "the result is a copy")
    assert read(lender, lender.kept[index][0]) == bytes(BYTES)


def test_what_other_processes_can_change_is_copied(lender: Any, tmp_path: Path) -> None:
    file = tmp_path / "shared"
    file.write_bytes(bytes(BYTES))
    assert lender.run_code(f"array = numpy.asarray(numpy.memmap({str(file)!r}, 'u1', 'r+'))").outcome.HasField("result")
    name = pull(lender)
    with file.open("r+b") as opened:
        opened.write(bytes([1]) * BYTES)
    assert read(lender, name) == bytes(BYTES)


def test_a_result_for_which_there_is_no_room_is_stored_from_where_it_is(fresh: Any, tmp_path: Path) -> None:
    fresh.fetches_results = False
    engine = scripted.Engine(fresh, "--stop-grace", "0.5", "--result-bytes", "0")
    try:
        fresh.hellos.get(timeout=scripted.PATIENCE)
        gone = tmp_path / "gone"
        fresh.reading.clear()
        index = call_for_a_new_array(fresh, gone)
        eventually(lambda: fresh.begun, "it is being stored")
        assert fresh.begun[0].only_copy and not gone.exists()
        fresh.reading.set()
        assert not fresh.wait(index).outcome.result.buffers[0].blob.kept
        eventually(gone.exists, "it is let go")
        assert list(fresh.blobs.values()) == [bytes(BYTES)]
    finally:
        print(engine.logged())
        engine.stop()
