"""The engine as a process: signals, interrupts, forks, children, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from paraply._proto.common.v1 import task_pb2


def sleep_long() -> None:
    print("asleep")
    time.sleep(60)


def sleep_briefly() -> None:
    print("asleep")
    time.sleep(0.3)


def test_a_running_task_is_interrupted(cluster: Any) -> None:
    index = cluster.call(sleep_long)
    cluster.wait_for_output(index, "asleep")
    cluster.cancel(index)
    failure = cluster.wait(index).failure
    assert (failure.kind, failure.type_name) == (task_pb2.FAILURE_KIND_CANCELLED, "KeyboardInterrupt")


def test_an_interrupt_never_reaches_another_task(cluster: Any) -> None:
    for _ in range(100):
        first = cluster.call(int)
        cluster.cancel(first)
        second = cluster.call(lambda: sum(range(2000)))
        assert cluster.wait(second).value == 1999000
        cluster.wait(first)


def test_sigint_reaches_a_running_task_and_not_an_idle_engine(cluster: Any) -> None:
    index = cluster.call(sleep_long)
    cluster.wait_for_output(index, "asleep")
    os.kill(cluster.engine.pid, signal.SIGINT)
    failure = cluster.wait(index).failure
    assert (failure.kind, failure.type_name) == (task_pb2.FAILURE_KIND_EXCEPTION, "KeyboardInterrupt")
    for _ in range(20):
        os.kill(cluster.engine.pid, signal.SIGINT)
        time.sleep(0.005)
    assert cluster.run(os.getpid).value == cluster.engine.pid


def test_handlers_of_user_code_run_while_the_engine_is_idle(cluster: Any) -> None:
    def install() -> None:
        signal.signal(signal.SIGUSR1, lambda *_: setattr(sys, "got_usr1", True))

    cluster.run(install)
    os.kill(cluster.engine.pid, signal.SIGUSR1)
    time.sleep(0.1)
    assert cluster.run(lambda: sys.got_usr1).value is True  # type: ignore[attr-defined]


def test_an_idle_engine_costs_nothing(cluster: Any) -> None:
    cluster.run(int)

    def ticks() -> int:
        fields = Path(f"/proc/{cluster.engine.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(2)
    assert ticks() - before <= 5, "of 200 that one who spins would have used"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_process_pools_work_in_tasks(cluster: Any, method: str) -> None:
    def use(method: str) -> Any:
        import math
        import multiprocessing

        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
            return list(pool.map(math.factorial, range(5)))

    assert cluster.run(use, method).value == [1, 1, 2, 6, 24]
    assert cluster.run(os.getpid).value == cluster.engine.pid, "a child is not an engine"


def test_a_pool_is_terminated_by_sigterm(cluster: Any) -> None:
    def use() -> str:
        import multiprocessing

        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.apply_async(time.sleep, (60,))
        return "terminated"

    before = time.monotonic()
    assert cluster.run(use).value == "terminated"
    assert time.monotonic() - before < 10


def test_a_forked_child_holds_nothing_of_the_engine(cluster: Any) -> None:
    def fork() -> tuple[list[str], list[str]]:
        def descriptors() -> list[str]:
            names = []
            for fd in os.listdir("/proc/self/fd"):
                try:
                    names.append(os.readlink(f"/proc/self/fd/{fd}"))
                except OSError:
                    continue
            return names

        read, write = os.pipe()
        if os.fork() == 0:
            os.write(write, "\n".join(descriptors()).encode())
            os._exit(0)
        os.close(write)
        with open(read) as pipe:
            return descriptors(), pipe.read().splitlines()

    parent, child = cluster.run(fork).value

    def engines(names: list[str]) -> list[str]:
        return [name for name in names if name.startswith(("socket:", "anon_inode:"))]

    assert engines(parent) and not engines(child)


def test_a_child_that_returns_from_its_task_ends_there(cluster: Any) -> None:
    def fork() -> int:
        child = os.fork()
        if child == 0:
            print("in the child")
            return 0
        os.waitpid(child, 0)
        return child

    done = cluster.run(fork)
    assert done.value > 0 and done.stdout == "in the child\n"
    assert cluster.run(os.getpid).value == cluster.engine.pid


def test_no_task_runs_in_a_child(cluster: Any) -> None:
    def ask() -> Any:
        import paraply_engine

        read, write = os.pipe()
        if os.fork() == 0:
            os.write(write, repr(paraply_engine.current_task()).encode())
            os._exit(0)
        os.close(write)
        with open(read) as pipe:
            return pipe.read()

    assert cluster.run(ask).value == "None"


@pytest.fixture
def engine(fresh: Any) -> Iterator[Any]:
    """An engine of the test's own."""
    import scripted

    started = fresh.engine = scripted.Engine(fresh, "--stop-grace", "1", "--label", "room=3", "--threads", "2")
    fresh.hello = fresh.hellos.get(timeout=scripted.PATIENCE)
    yield started
    print(started.logged())
    started.stop()


def test_it_says_who_it_is(fresh: Any, engine: Any) -> None:
    assert fresh.hello.engine_id == 5 and fresh.hello.ticket == b"ticket"
    assert dict(fresh.hello.labels) == {"room": "3", "runtime": "python"} and fresh.hello.peer.agent == "paraply-engine"
    assert fresh.hello.credit.total_tasks > 0
    assert os.getpgid(engine.pid) == engine.pid


def test_numeric_libraries_get_their_threads(fresh: Any, engine: Any) -> None:
    assert fresh.run(lambda: os.environ.get("OMP_NUM_THREADS")).value == "2"


def test_sigterm_ends_an_idle_engine_well(fresh: Any, engine: Any) -> None:
    from home import eventually

    fresh.run_code("import atexit; atexit.register(lambda: open('/dev/stderr', 'w').write('goodbye\\n'))")
    os.kill(engine.pid, signal.SIGTERM)
    assert engine.wait() == 0
    eventually(lambda: any(report.draining for report in fresh.reports), "it says that it leaves")
    assert "goodbye" in engine.logged()


def test_sigterm_lets_a_task_finish_and_waits_no_longer_than_its_grace(fresh: Any, engine: Any) -> None:
    index = fresh.call(sleep_briefly)
    long = fresh.call(sleep_long)
    fresh.wait_for_output(index, "asleep")
    before = time.monotonic()
    os.kill(engine.pid, signal.SIGTERM)
    assert fresh.wait(index).value is None
    assert engine.wait() == 0
    assert 0.9 < time.monotonic() - before < 20
    assert long not in fresh._done


def test_the_death_of_its_parent_ends_it_and_its_children(fresh: Any, engine: Any) -> None:
    from home import eventually
    from processes import is_alive

    child = fresh.run(lambda: subprocess.Popen(["sleep", "60"]).pid).value
    os.close(engine.parent)
    try:
        assert engine.wait() == -signal.SIGKILL
        eventually(lambda: not is_alive(child), "its child has ended")
    finally:
        engine.parent = os.open(os.devnull, os.O_RDONLY)


def test_a_crash_is_the_end_of_the_engine_and_seen_at_once(fresh: Any, engine: Any) -> None:
    def crash() -> None:
        subprocess.Popen(["sleep", "60"])
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        os.kill(os.getpid(), signal.SIGSEGV)

    closed = fresh._to_engine
    fresh.call(crash)
    assert engine.wait() == -signal.SIGSEGV
    # The stream ends although children of the engine live on: none of them holds its socket.
    while closed.get(timeout=20) is not None:
        pass


def test_it_comes_back_to_a_scheduler_that_hung_up(fresh: Any, engine: Any) -> None:
    import scripted

    fresh.run_code("kept = 1", silent=True)
    fresh._to_engine.put(None)
    again = fresh.hellos.get(timeout=scripted.PATIENCE)
    assert again.engine_id == 5 and again.incarnation == fresh.hello.incarnation and again.last_epoch == fresh.epoch
    assert fresh.run(lambda: sys.modules["__main__"].kept).value == 1  # type: ignore[attr-defined]


def test_results_that_it_keeps_are_read_by_a_new_scheduler(fresh: Any, engine: Any) -> None:
    import scripted

    fresh.hold_acks = True
    index = fresh.call(bytes, 1_000_000)
    first = fresh.wait(index).value
    fresh.blobs.clear()
    fresh.epoch += 1
    del fresh._done[index]
    fresh.hold_acks = False
    fresh._to_engine.put(None)
    hello = fresh.hellos.get(timeout=scripted.PATIENCE)
    assert [kept.blob_id for kept in hello.kept_blobs] == fresh.kept[index]
    assert fresh.wait(index).value == first


def test_a_task_that_was_cancelled_while_it_waited_does_not_run(fresh: Any, engine: Any) -> None:
    first = fresh.call(time.sleep, 3)
    second = fresh.call(print, "never")
    fresh.cancel(second)
    assert fresh.wait(first).value is None
    assert fresh.wait(second).failure.kind in (task_pb2.FAILURE_KIND_ABORTED, task_pb2.FAILURE_KIND_CANCELLED)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"role": "client"}, "needs engine.json"),
        ({"version": 9}, "format version 9"),
        ({"token": "short"}, "at least 16 characters"),
    ],
)
def test_a_bad_connection_file_says_what_to_do(fresh: Any, changes: dict[str, Any], error: str) -> None:
    fresh.write_connection(**changes)
    command = [sys.executable, "-m", "paraply.engine", "--connection", str(fresh.connection)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1 and error in ended.stderr and "Traceback" not in ended.stderr


def test_without_a_connection_it_asks_for_one() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PARAPLY_CONNECTION"}
    command = [sys.executable, "-m", "paraply.engine"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20, env=environment)
    assert ended.returncode == 2 and "--connection" in ended.stderr


def test_one_engine_a_process(cluster: Any) -> None:
    def second(connection: str) -> None:
        from paraply_engine import _native

        _native.Engine(connection, "3.11")

    assert "has an engine already" in cluster.run(second, str(cluster.connection)).failure.message
