"""Tasks that do to their process what nobody should: the engine serves the next task rightly, or is known to be gone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bystander import Bystander
from home import Home, eventually
from processes import is_alive

import paraply
from paraply.error import EngineError, RemoteError
from paraply.util import interactive

#: What is done to it; all others are the bystander's.
VICTIM = 3


@pytest.fixture(autouse=True)
def bystander(rc: paraply.Client) -> Iterator[Bystander]:
    with Bystander([0, 1, 2]) as bystander:
        yield bystander


def serves_rightly(rc: paraply.Client, pid: int) -> None:
    """The engine's next task runs in the same process, and what it and its children read and write is its own."""

    @interactive
    def write() -> tuple[int, str]:
        import os
        import subprocess
        import sys

        print("printed")
        print("complained", file=sys.stderr)
        subprocess.run(["echo", "echoed"], check=True)
        read = subprocess.run(["cat"], check=True, stdout=subprocess.PIPE, text=True).stdout
        return os.getpid(), read

    result = rc[VICTIM].apply_async(write)
    assert result.get(timeout=10) == (pid, "")
    assert result.stdout == "printed\nechoed\n"
    assert result.stderr == "complained\n"
    assert rc.ids == [0, 1, 2, 3]


@interactive
def close_the_standard_descriptors() -> str:
    import os

    for descriptor in range(3):
        os.close(descriptor)
    return "done"


@interactive
def put_files_into_their_place() -> str:
    """The numbers of the standard descriptors are those of files, which nobody but this task should write to."""
    import os

    for descriptor in range(3):
        os.close(descriptor)
    for _ in range(3):
        os.open("/proc/self/status", os.O_RDONLY)
    return "done"


@interactive
def fork_and_exit() -> str:
    import os

    child = os.fork()
    if child == 0:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    return "done"


@interactive
def fork_and_return() -> str:
    """The child returns from the task as its parent does: only one of them has a result to give."""
    import os

    child = os.fork()
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return "done"


@interactive
def fork_and_leave_the_child() -> str:
    """The child is there when the result is, holds all that it inherited, and outlives the next tasks."""
    import os
    import time

    if os.fork() == 0:
        time.sleep(30)
        os._exit(0)
    return "done"


@interactive
def delete_stdout() -> str:
    import sys

    del sys.stdout
    return "done"


@interactive
def delete_all_streams() -> str:
    import sys

    del sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__
    return "done"


@interactive
def close_stdout() -> str:
    import sys

    sys.stdout.close()
    return "done"


@pytest.mark.parametrize(
    "task",
    [
        close_the_standard_descriptors,
        put_files_into_their_place,
        fork_and_exit,
        fork_and_return,
        fork_and_leave_the_child,
        delete_stdout,
        delete_all_streams,
        close_stdout,
    ],
)
def test_the_next_task_is_served_rightly(rc: paraply.Client, task: Callable[[], str]) -> None:
    pid = rc[VICTIM].apply_sync(os.getpid)
    assert rc[VICTIM].apply_async(task).get(timeout=10) == "done"
    for _ in range(2):
        serves_rightly(rc, pid)


@interactive
def one_array_too_large() -> int:
    return len(bytearray(1 << 40))


@interactive
def many_small_values() -> int:
    kept = []
    while True:
        kept.append(bytes(10_000))


@pytest.mark.parametrize("exhaust", [one_array_too_large, many_small_values])
def test_memory_that_runs_out_is_an_error_of_the_task(rc: paraply.Client, exhaust: Callable[[], int]) -> None:
    @interactive
    def limit(room: int) -> int:
        import os
        import resource

        with open("/proc/self/statm") as statm:
            size = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + room, resource.RLIM_INFINITY))
        return os.getpid()

    pid = rc[VICTIM].apply_sync(limit, 256 << 20)
    for _ in range(3):
        with pytest.raises(RemoteError, match=r"MemoryError") as caught:
            rc[VICTIM].apply_async(exhaust).get(timeout=30)
        assert caught.value.engine_info["engine_id"] == VICTIM
    serves_rightly(rc, pid)


@interactive
def exit_at_once() -> None:
    import os

    os._exit(3)


@interactive
def read_from_nowhere() -> None:
    import ctypes

    ctypes.string_at(0)


@interactive
def abort() -> None:
    import os

    os.abort()


@interactive
def use_more_than_the_kernel_allows() -> None:
    """The kernel kills a process whose limit of processor time is reached, as it does one that takes too much memory."""
    import resource
    import time

    used = int(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (used + 1, used + 1))
    while True:
        pass


@pytest.mark.parametrize("task", [exit_at_once, read_from_nowhere, abort, use_more_than_the_kernel_allows])
def test_an_engine_that_is_gone_is_known_to_be(
    rc: paraply.Client, bystander: Bystander, task: Callable[[], None]
) -> None:
    pid = rc[VICTIM].apply_sync(os.getpid)
    running, behind = rc[VICTIM].apply_async(task), rc[VICTIM].apply_async(abs, -1)
    # It tells of itself when it has ended, and not a moment before: the parent sees it as soon as anyone can.
    eventually(lambda: not is_alive(pid), "it has ended")
    ended = time.monotonic()
    with pytest.raises(EngineError, match=rf"Engine {VICTIM} died while running task '{running.msg_ids[0]}'"):
        running.get(timeout=10)
    assert time.monotonic() - ended < 2
    # It may have come when the engine was gone already.
    with pytest.raises(EngineError, match=f"Engine {VICTIM} died|engine {VICTIM} is gone"):
        behind.get(timeout=10)
    assert rc.ids == [0, 1, 2]
    bystander.goes_on()
    assert rc.load_balanced_view().map_sync(abs, range(-20, 0)) == list(range(20, 0, -1))


@interactive
def count_interrupts(marker: str) -> list[int]:
    """Runs until its own handler of SIGINT was called three times."""
    import signal
    import time

    seen: list[int] = []

    def note(number: int, _frame: object) -> None:
        seen.append(number)
        with open(marker, "a") as file:
            file.write("!")

    signal.signal(signal.SIGINT, note)
    open(marker, "w").close()
    while len(seen) < 3:
        time.sleep(0.01)
    return seen


def test_an_interrupt_calls_the_handler_that_a_task_has_installed(rc: paraply.Client, tmp_path: Path) -> None:
    pid = rc[VICTIM].apply_sync(os.getpid)
    runs = tmp_path / "runs"
    running = rc[VICTIM].apply_async(count_interrupts, str(runs))
    eventually(runs.exists, "it runs")
    for count in range(1, 4):
        assert running.cancel()
        # Signals of one number that come at once are one signal.
        eventually(lambda count=count: runs.read_text() == "!" * count, f"it was interrupted {count} times")
    assert running.get(timeout=10) == [signal.SIGINT] * 3
    # The handler was that task's: the next one is interrupted as ever.
    marker = tmp_path / "runs again"
    following = rc[VICTIM].apply_async(sleep_long, str(marker))
    eventually(marker.exists, "it runs")
    assert following.cancel()
    with pytest.raises(RemoteError, match="KeyboardInterrupt"):
        following.get(timeout=10)
    serves_rightly(rc, pid)


@interactive
def sleep_long(marker: str) -> None:
    import time

    open(marker, "w").close()
    time.sleep(60)


def test_code_that_deletes_stdout(rc: paraply.Client) -> None:
    pid = rc[VICTIM].apply_sync(os.getpid)
    # IPython itself flushes the stream when a cell is over.
    with pytest.raises(RemoteError, match="'sys' has no attribute 'stdout'"):
        rc[VICTIM].execute("import sys; del sys.stdout", block=True)
    shown: Any = rc[VICTIM].execute("print('printed')")
    shown.get(timeout=10)
    assert shown.stdout == "printed\n"
    serves_rightly(rc, pid)


@interactive
def close_the_standard_descriptors_and_wait(marker: str, go: str) -> str:
    import os
    import time

    os.closerange(0, 3)
    open(marker, "w").close()
    while not os.path.exists(go):
        time.sleep(0.01)
    return "done"


def test_an_engine_that_connects_while_they_are_closed(home: Home, rc: paraply.Client, tmp_path: Path) -> None:
    """Its socket must not get the number of a standard descriptor: that is put back when the next task begins."""
    pid = rc[VICTIM].apply_sync(os.getpid)
    marker, go = tmp_path / "runs", tmp_path / "go"
    running = rc[VICTIM].apply_async(close_the_standard_descriptors_and_wait, str(marker), str(go))
    eventually(marker.exists, "it runs")
    home.kill_scheduler()
    home.wait_for_another_scheduler(4)
    go.touch()
    assert running.get(timeout=30) == "done"
    for _ in range(2):
        serves_rightly(rc, pid)
