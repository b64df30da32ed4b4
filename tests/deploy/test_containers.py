"""A cluster in containers whose root file systems nobody can write to: tasks run, SIGTERM ends everything in time."""

from __future__ import annotations

import pytest

from deploy.containers import Containers
from deploy.pod import Pod

#: Seconds in which a service is gone after SIGTERM: its streams have two to end in.
SERVICE_ENDS = 5.0

PI = """
import random, paraply as ipp

def inside(n):
    return sum(random.random() ** 2 + random.random() ** 2 < 1 for _ in range(n))

rc = ipp.Client()
rc.wait_for_engines(2)
estimate = 4 * sum(rc.load_balanced_view().map_sync(inside, [20_000] * 50)) / 1_000_000
assert abs(estimate - 3.1416) < 0.05, estimate
rc[:].execute("import numpy; open('/tmp/x', 'w').write(str(numpy.ones(3).sum()))", block=True)
print(rc[:].apply_sync(lambda: open("/tmp/x").read()))
"""

#: A task that says when it has begun, and goes on for a while.
LONG = """
import time, paraply as ipp

def work():
    open("/tmp/begun", "w").close()
    time.sleep(3)
    return "done"

rc = ipp.Client()
rc.wait_for_engines(1)
running = rc[0].apply_async(work)
print(running.get(timeout=30))
"""


@pytest.fixture
def pod(containers: Containers) -> Pod:
    return Pod(containers)


def test_tasks_run_and_every_container_ends_well(pod: Pod) -> None:
    engines = [pod.add_engine() for _ in range(2)]
    said = pod.client(PI).ends(60)
    assert "['3.0', '3.0']" in said, said
    for container in [*engines, pod.scheduler, pod.controller]:
        status, took = container.terminate(20)
        assert status == 0, container.logs()
        assert took < SERVICE_ENDS, container.logs()


def test_an_engine_finishes_its_task_before_it_goes(pod: Pod) -> None:
    engine = pod.add_engine("--stop-grace", "20")
    client = pod.client(LONG)
    engine.wait_until("test", "-e", "/tmp/begun")
    status, took = engine.terminate(30)
    assert status == 0, engine.logs()
    assert took < 20, "it waits for the task and no longer"
    assert "done" in client.ends(30)


def test_a_task_that_outlives_the_grace_does_not_hold_the_engine(pod: Pod) -> None:
    engine = pod.add_engine("--stop-grace", "1")
    pod.client(LONG.replace("sleep(3)", "sleep(600)"))
    engine.wait_until("test", "-e", "/tmp/begun")
    status, took = engine.terminate(30)
    assert status == 0, engine.logs()
    assert 1 <= took < 10


def test_health_follows_the_engine(pod: Pod) -> None:
    engine = pod.add_engine()
    pod.scheduler.terminate(20)
    engine.wait_until("sh", "-c", "! paraply health 127.0.0.1:9610")
    assert engine.state["Running"], "an engine outlives its scheduler"
