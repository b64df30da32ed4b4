"""Connections that are cut, in one direction or both, for less than a lease and for longer: one result a task, no hang.

Each process is on a machine of its own, and a router between them drops what it is told to, silently.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from home import eventually
from machines import Machines, logs
from namespaces import Network, network

LEASE = 3.0

#: What runs on the client's machine before anything else.
PRELUDE = """
import os, paraply
from paraply.error import EngineError
from paraply._proto.controller.v1 import cluster_pb2

def note(folder, task, seconds):
    import os, time
    with open(f"{folder}/{os.getpid()}", "a") as file:
        file.write(f"{task}\\n")
    time.sleep(seconds)
    return task

def note_and_stay(folder, task, seconds):
    # Known to be long: an engine claims such a task alone, and not what is behind it.
    return note(folder, task, seconds)

def members():
    method = "paraply.controller.v1.ClusterService/ListEngines"
    listed = rc._link.call(method, cluster_pb2.ListEnginesRequest(), cluster_pb2.ListEnginesResponse)
    return sorted(status.engine.engine_id for status in listed.engines)

def goes_on():
    return rc[1].apply_async(abs, -1).get(timeout=5)
"""


class Cut(Machines):
    """A cluster on five machines and two clients, `client` and `other`."""

    def __init__(self, net: Network, folder: Path, stack: ExitStack) -> None:
        super().__init__(net, folder, stack, controller="controller", scheduler="scheduler", lease=LEASE)
        for number in (0, 1):
            self.start_engine(f"engine{number}", number)
        self.client, self.other = (self.connect(machine, PRELUDE, engines=2) for machine in ("client", "other"))
        self._noted = 0

    @contextmanager
    def cut(self, pairs: Iterable[tuple[str, str]], way: str) -> Iterator[None]:
        """Cuts machines off from each other: 'both' ways, or 'there', what the first of a pair sends, or 'back'."""
        there = [] if way == "back" else list(pairs)
        back = [] if way == "there" else [(two, one) for one, two in pairs]
        with self.net.cut(*there, *back):
            yield

    def notes(self) -> Callable[[], Counter[int]]:
        """A new folder for tasks to note in that they run, as `folder` of the client; gives how often each ran."""
        self._noted += 1
        folder = self.folder / f"notes-{self._noted}"
        folder.mkdir()
        self.client(f"folder = {str(folder)!r}")

        def ran() -> Counter[int]:
            return Counter(int(line) for path in folder.iterdir() for line in path.read_text().splitlines())

        return ran


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cut]:
    """One cluster for all tests: each leaves it as it was."""
    folder = tmp_path_factory.mktemp("cuts")
    with network("controller", "scheduler", "engine0", "engine1", "client", "other") as net, ExitStack() as stack:
        try:
            yield Cut(net, folder, stack)
        finally:
            print("\n".join(logs(folder)))


@pytest.fixture
def cluster(started: Cut) -> Iterator[Cut]:
    """A whole cluster, and both clients at work before and after."""
    started.client("assert rc.ids == [0, 1] and members() == [0, 1]")
    yield started
    for there in (started.client, started.other):
        eventually(lambda there=there: there("rc.ids == [0, 1] and members() == [0, 1]"), "all are back")
        assert there("rc[:].apply_async(abs, -2).get(timeout=30)", 60) == [2, 2]


WAYS = ("both", "there", "back")
PAIRS = [
    ("client", "scheduler"),
    ("client", "controller"),
    ("engine0", "scheduler"),
    ("engine0", "controller"),
    ("scheduler", "controller"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_a_cut_that_heals_within_the_lease_costs_nothing(cluster: Cut, pair: tuple[str, str], way: str) -> None:
    ran = cluster.notes()
    cluster.client("results = rc.load_balanced_view().map_async(note, [folder] * 100, range(100), [0.02] * 100)")
    cluster.client("direct = rc[0].apply_async(note, folder, 1000, 0.1)")
    eventually(lambda: sum(ran().values()) > 5, "some tasks ran")
    with cluster.cut([pair], way):
        cut = time.monotonic()
        if pair[0] != "scheduler":
            assert cluster.other("goes_on()") == 1
        if pair[0] != "client":
            cluster.client("more = rc[1].apply_async(note, folder, 1001, 0)")
            assert cluster.client("more.get(timeout=10)", 30) == 1001
        assert time.monotonic() - cut < LEASE / 2
        time.sleep(max(cut + LEASE / 4 - time.monotonic(), 0))
    assert cluster.client("results.get(timeout=30)", 60) == list(range(100))
    assert cluster.client("direct.get(timeout=30)", 60) == 1000
    assert set(ran().values()) == {1}, "each ran once"
    assert cluster.client("rc.ids") == [0, 1]


@pytest.mark.parametrize("way", WAYS)
def test_an_engine_cut_off_from_both_services_for_longer_than_its_lease_is_lost(cluster: Cut, way: str) -> None:
    ran = cluster.notes()
    cluster.client(f"running = rc[0].apply_async(note_and_stay, folder, 1, {2 * LEASE})")
    cluster.client("behind = rc[0].apply_async(note, folder, 2, 0)")
    eventually(lambda: ran() == {1: 1}, "it runs")
    with cluster.cut([("engine0", "scheduler"), ("engine0", "controller")], way):
        cut = time.monotonic()
        cluster.client("error = running.exception(timeout=30)", 60)
        assert 0.3 * LEASE < time.monotonic() - cut < 5 * LEASE
        assert "Engine 0 died while running task" in cluster.client("isinstance(error, EngineError) and str(error)")
        assert cluster.client("isinstance(behind.exception(timeout=10), EngineError)")
        assert cluster.client("rc.ids") == [1]
        eventually(lambda: cluster.other("rc.ids") == [1], "the other client hears of it")
        for there in (cluster.client, cluster.other):
            assert there("goes_on()") == 1
        assert cluster.client("rc.load_balanced_view().map_async(abs, range(-20, 0)).get(timeout=10)") == [
            *range(20, 0, -1)
        ]
    eventually(lambda: cluster.client("rc.ids") == [0, 1], "it is back", seconds=60)
    assert cluster.client("rc[0].apply_async(note, folder, 3, 0).get(timeout=30)", 60) == 3
    assert ran() == {1: 1, 3: 1}, "nothing that was given up ran later or again"


@pytest.mark.parametrize("way", WAYS)
def test_an_engine_cut_off_from_the_scheduler_comes_back_through_the_controller(cluster: Cut, way: str) -> None:
    """What it ran is lost as that of any engine which was silent for too long; then it works, and large bytes find it. When
    that breaks it is the direct way again."""
    ran = cluster.notes()
    cluster.client(f"running = rc[0].apply_async(note_and_stay, folder, 1, {2 * LEASE})")
    eventually(lambda: ran() == {1: 1}, "it runs")
    with cluster.cut([("engine0", "scheduler")], way):
        assert cluster.client("isinstance(running.exception(timeout=30), EngineError)", 60)
        eventually(lambda: cluster.client("rc.ids") == [0, 1], "it is back", seconds=60)
        assert cluster.client("rc[0].apply_async(note, folder, 2, 0).get(timeout=30)", 60) == 2
        cluster.client("large = os.urandom(3 << 20)")
        cluster.client("rc[0].push({'large': large}, block=False).get(timeout=30)", 60)
        assert cluster.client("rc[0].pull('large', block=False).get(timeout=30) == large", 60)
    with cluster.cut([("engine0", "controller")], "both"):
        works = "0 in rc.ids and rc[0].apply_async(abs, -1).exception(timeout=60) is None"
        eventually(lambda: cluster.client(works, 90), "it is back", seconds=60)
    assert ran() == {1: 1, 2: 1}


@pytest.mark.parametrize("way", WAYS)
def test_an_engine_cut_off_from_the_controller_works_on(cluster: Cut, way: str) -> None:
    ran = cluster.notes()
    with cluster.cut([("engine0", "controller")], way):
        cluster.client(f"running = rc[0].apply_async(note_and_stay, folder, 1, {2 * LEASE})")
        eventually(lambda: cluster.client("members()") == [1], "the controller has given it up", seconds=60)
        assert cluster.client("rc.ids") == [0, 1], "the scheduler has not"
        assert cluster.other("goes_on()") == 1
        assert cluster.client("running.get(timeout=30)", 60) == 1
        assert cluster.client("rc[0].apply_async(note, folder, 2, 0).get(timeout=10)") == 2
    eventually(lambda: cluster.client("members()") == [0, 1], "it is back", seconds=60)
    assert cluster.client("rc.ids") == [0, 1]
    assert ran() == {1: 1, 2: 1}


@pytest.mark.parametrize("way", WAYS)
def test_a_scheduler_cut_off_from_the_controller_works_on(cluster: Cut, way: str) -> None:
    ran = cluster.notes()
    with cluster.cut([("scheduler", "controller")], way):
        end = time.monotonic() + 2 * LEASE
        task = 0
        while time.monotonic() < end:
            assert cluster.client(f"rc[0].apply_async(note, folder, {task}, 0).get(timeout=10)") == task
            assert cluster.other("goes_on()") == 1
            task += 1
        assert cluster.client("rc.ids") == [0, 1]
    eventually(lambda: cluster.client("members()") == [0, 1], "the controller is back", seconds=60)
    assert ran() == dict.fromkeys(range(task), 1)


def test_clients_cut_off_from_the_scheduler_find_another_way(cluster: Cut) -> None:
    """What one sends is dropped, and what is sent to the other. Either sees it, and goes by way of the controller."""
    ran = cluster.notes()
    cluster.client("results = rc.load_balanced_view().map_async(note, [folder] * 100, range(100), [0.02] * 100)")
    eventually(lambda: sum(ran().values()) > 5, "some tasks ran")
    with cluster.net.cut(("client", "scheduler"), ("scheduler", "other")):
        cluster.other("result = rc[1].apply_async(abs, -1)")
        assert cluster.client("results.get(timeout=60)", 90) == list(range(100))
        assert cluster.other("result.get(timeout=60)", 90) == 1
        for there in (cluster.client, cluster.other):
            assert there("goes_on()") == 1
    assert ran() == dict.fromkeys(range(100), 1)
