"""Engines and a client far away: packets take 50 ms each way, one in a hundred is lost, and everything is over TLS.

One engine can reach the controller only, which passes on what is for the scheduler.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from home import eventually, leases
from namespaces import Network, Slow, There, network
from secured import SERVICES, Secured, secured

ENGINES = ("engine0", "engine1")
#: What this one sends to the scheduler itself goes nowhere.
BARRED = "engine1"
FAR = Slow(machines=(*ENGINES, "client"), seconds=0.05, loss=0.01, seed=1)
#: Seconds that anything may take: more than ten times what the slowest took.
PATIENCE = 300
#: Seconds of a cut. TCP goes on up to twice as long after its beginning, or four times where it loses what it tries with.
CUT = 3
LEASE = 20 * CUT

PRELUDE = """
import numpy, os, paraply

def note(folder, task, seconds=0):
    import os, time
    with open(f"{folder}/{os.getpid()}", "a") as file:
        file.write(f"{task}\\n")
    time.sleep(seconds)
    return task

def noted_array(folder, task, size):
    import numpy
    note(folder, task)
    return numpy.full(size, task, dtype=numpy.uint8)
"""


class Far:
    """The cluster, and a client on a machine of its own."""

    def __init__(self, net: Network, lab: Secured, client: There) -> None:
        self.net, self.lab = net, lab
        self._client = client
        self._noted = 0

    def __call__(self, source: str) -> Any:
        """Has the client evaluate or execute the source."""
        return self._client(source, PATIENCE)

    def notes(self) -> Callable[[], Counter[int]]:
        """A new folder for tasks to note in that they run, as `folder` of the client; gives how often each ran."""
        self._noted += 1
        folder = self.lab.folder / f"notes-{self._noted}"
        folder.mkdir()
        self(f"folder = {str(folder)!r}")

        def ran() -> Counter[int]:
            return Counter(int(line) for path in folder.iterdir() for line in path.read_text().splitlines())

        return ran


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    folder = tmp_path_factory.mktemp("far")
    with network(SERVICES, *FAR.machines, slow=FAR) as net, secured(folder, net=net, settings=leases(LEASE)) as lab:
        port = int(lab.scheduler.rpartition(":")[2])
        with net.cut((BARRED, SERVICES), port=port), There(net, "client", lab.env, folder) as client:
            lab.start_engines(len(ENGINES))
            far = Far(net, lab, client)
            far(PRELUDE)
            far(f"rc = paraply.Client({str(lab.credentials / 'client' / 'connection.json')!r}, timeout={PATIENCE})")
            far(f"rc.wait_for_engines(2, timeout={PATIENCE})")
            yield far
            assert net.lost() > 10, "it was all in vain otherwise"


@pytest.mark.parametrize("engine", [0, 1])
def test_a_call_takes_its_time(far: Far, engine: int) -> None:
    far("import time; begun = time.monotonic()")
    assert far(f"rc[{engine}].apply_sync(abs, -1)") == 1
    assert far("time.monotonic() - begun") >= 4 * FAR.seconds, "to the scheduler, to the engine, and back"


def test_a_balanced_map(far: Far) -> None:
    ran = far.notes()
    assert far("rc.load_balanced_view().map_sync(note, [folder] * 200, range(200))") == list(range(200))
    assert ran() == dict.fromkeys(range(200), 1), "each ran once"


def test_direct_calls_run_once_and_in_order(far: Far) -> None:
    ran = far.notes()
    far("results = [rc[task % 2].apply_async(note, folder, task) for task in range(200)]")
    assert far("[result.get() for result in results]") == list(range(200))
    assert ran() == dict.fromkeys(range(200), 1)
    far("files = [[int(line) for line in open(f'{folder}/{name}')] for name in os.listdir(folder)]")
    assert far("sorted(files)") == [list(range(0, 200, 2)), list(range(1, 200, 2))]


def test_large_arrays_there_and_back(far: Far) -> None:
    far("array = numpy.random.default_rng(1).integers(0, 256, 1 << 20, dtype=numpy.uint8)")
    far("rc[:].push({'array': array}, block=True)")
    assert far("all(numpy.array_equal(array, there) for there in rc[:].pull('array', block=True))")
    far("del array")


def test_large_results(far: Far) -> None:
    ran = far.notes()
    far("arrays = rc.load_balanced_view().map_sync(noted_array, [folder] * 8, range(8), [1 << 18] * 8)")
    assert far("all((array == task).all() and array.size == 1 << 18 for task, array in enumerate(arrays))")
    assert ran() == dict.fromkeys(range(8), 1)


@pytest.mark.parametrize("machine", FAR.machines)
def test_a_cut_for_a_while(far: Far, machine: str) -> None:
    ran = far.notes()
    far("results = rc.load_balanced_view().map_async(note, [folder] * 100, range(100), [0.02] * 100)")
    eventually(lambda: sum(ran().values()) > 5, "some tasks ran", PATIENCE)
    with far.net.cut((machine, SERVICES), (SERVICES, machine)):
        time.sleep(CUT)
    assert far("results.get()") == list(range(100))
    assert ran() == dict.fromkeys(range(100), 1)
    assert far("rc.ids") == [0, 1]
