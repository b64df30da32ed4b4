"""Interrupts that come when a task ends: each reaches the task that it is for, or nobody."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from typing import Any

import pytest

from paraply._proto.common.v1 import task_pb2

#: Interrupts in one run of the suite.
MANY = int(os.environ.get("PARAPLY_INTERRUPTS", "2000"))

CANCELLED = task_pb2.FAILURE_KIND_CANCELLED


def spin(seconds: float) -> str:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    return "ended"


def spin_for_ever() -> None:
    while True:
        pass


def outcome(done: Any) -> str:
    """How a task ended; an interrupt that came as anything but a cancel is an error."""
    if done.outcome.HasField("result"):
        value: str = done.value
        return value
    failure = done.failure
    if failure.kind == task_pb2.FAILURE_KIND_ABORTED:
        return "never started"
    assert (failure.kind, failure.type_name) == (CANCELLED, "KeyboardInterrupt"), failure
    return "cancelled"


def test_no_interrupt_at_the_end_of_a_task_hits_its_neighbour_or_is_lost(cluster: Any) -> None:
    chance = random.Random(MANY)
    ends: Counter[tuple[str, bool]] = Counter()
    cluster.run(spin, 0.0)
    for nth in range(MANY):
        # Every fourth does not end by itself: an interrupt that is lost there is one for good.
        endless = nth % 4 == 3
        victim = cluster.call(spin_for_ever) if endless else cluster.call(spin, chance.uniform(50e-6, 150e-6))
        neighbour = cluster.call(spin, 100e-6)
        time.sleep(chance.uniform(0, 2e-4))
        cluster.cancel(victim)
        assert outcome(cluster.wait(neighbour)) == "ended"
        ends[outcome(cluster.wait(victim)), endless] += 1
    print(ends)
    assert ends["ended", False] and ends["cancelled", False] and ends["cancelled", True]


def test_an_interrupt_while_the_task_leaves_its_own_try_is_not_lost(cluster: Any) -> None:
    def stubborn() -> str:
        try:
            print("waiting", flush=True)
            while True:
                pass
        except KeyboardInterrupt:
            return "caught"

    index = cluster.call(stubborn)
    cluster.wait_for_output(index, "waiting")
    cluster.cancel(index)
    assert cluster.wait(index).value == "caught"


@pytest.mark.parametrize("handler", ["signal.SIG_IGN", "signal.SIG_DFL", "lambda *_: None"])
def test_a_handler_that_a_task_leaves_is_not_its_successors(cluster: Any, handler: str) -> None:
    def install(handler: str) -> None:
        signal.signal(signal.SIGINT, eval(handler, {"signal": signal}))

    def wait() -> None:
        print("waiting", flush=True)
        time.sleep(60)

    cluster.run(install, handler)
    index = cluster.call(wait)
    cluster.wait_for_output(index, "waiting")
    cluster.cancel(index)
    assert outcome(cluster.wait(index)) == "cancelled"


def test_signals_come_from_the_controller_too(cluster: Any) -> None:
    def wait() -> None:
        print("waiting", flush=True)
        time.sleep(60)

    def wait_for_usr1() -> str:
        seen: list[int] = []
        signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
        print("waiting", flush=True)
        deadline = time.monotonic() + 30
        while not seen and time.monotonic() < deadline:
            time.sleep(0.01)
        return "seen" if seen else "not seen"

    index = cluster.call(wait_for_usr1)
    cluster.wait_for_output(index, "waiting")
    cluster.signals.put("SIGNONSENSE")
    cluster.signals.put("SIGUSR1")
    assert cluster.wait(index).value == "seen"
    index = cluster.call(wait)
    cluster.wait_for_output(index, "waiting")
    cluster.signals.put("SIGINT")
    assert cluster.wait(index).failure.type_name == "KeyboardInterrupt"


def test_a_task_that_does_not_stop_ends_its_engine_and_what_it_started(fresh: Any, engine: Any) -> None:
    def stubborn() -> None:
        import subprocess

        child = subprocess.Popen(["sleep", "60"])
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        print(child.pid, flush=True)
        time.sleep(60)

    from home import eventually
    from processes import is_alive

    index = fresh.call(stubborn)
    fresh.wait_for_output(index, "\n")
    child = int(b"".join(piece.data for piece in fresh._output[index]))
    assert is_alive(child)
    fresh.cancel(index, kill_after_millis=100)
    done = fresh.wait(index)
    assert done.failure.kind == CANCELLED and "did not stop" in done.failure.message
    assert engine.wait() == -signal.SIGKILL
    assert "did not stop in its time" in engine.logged()
    eventually(lambda: not is_alive(child), "its child has ended")
