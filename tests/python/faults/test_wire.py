"""What a task costs on the wire: bytes of TCP streams, HTTP/2 and gRPC framing included.

In plain text: what TLS adds depends on how the kernel cuts the stream into records.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from machines import Machines, logs
from namespaces import Network, Slow, There, network

SERVICES, CLIENT = "services", "client"
BATCH, BATCHES = 100, 20
#: Bytes of a task that does nothing.
MOST_TO_SUBMIT, MOST_TO_ANSWER = 64, 96

PRELUDE = """
import sys, paraply

# The thread that writes has its turn when a batch is made, and not in the middle of it: what goes is one message.
sys.setswitchinterval(10)

# Functions of a program, which are pickled once.
import __main__
exec("def nothing(): pass", vars(__main__))
exec("def nothing_of(_): pass", vars(__main__))
from __main__ import nothing, nothing_of
"""


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Network, There]]:
    """A client behind a link that counts, and a cluster of two engines."""
    folder = tmp_path_factory.mktemp("wire")
    with network(SERVICES, CLIENT, slow=Slow((CLIENT,))) as net, ExitStack() as stack:
        machines = Machines(net, folder, stack, controller=SERVICES, scheduler=SERVICES, lease=10)
        for number in (0, 1):
            machines.start_engine(SERVICES, number)
        try:
            yield net, machines.connect(CLIENT, PRELUDE, engines=2)
        finally:
            print("\n".join(logs(folder)))


@pytest.mark.parametrize(
    "batch",
    [
        f"[result.get() for result in [rc.load_balanced_view().apply_async(nothing) for _ in range({BATCH})]]",
        f"[result.get() for result in [rc[0].apply_async(nothing) for _ in range({BATCH})]]",
        f"rc.load_balanced_view().map_async(nothing_of, range({BATCH}), chunksize=1).get()",
    ],
    ids=["balanced", "direct", "map"],
)
def test_a_task_that_does_nothing(counted: tuple[Network, There], batch: str, record_property: Any) -> None:
    net, client = counted
    client(f"assert {batch} == [None] * {BATCH}")
    before = net.carried()
    client(f"for _ in range({BATCHES}): {batch}", 60)
    after = net.carried()
    submit, answer = (
        (after[way] - before[way]) / (BATCH * BATCHES) for way in ((CLIENT, SERVICES), (SERVICES, CLIENT))
    )
    record_property("bytes to submit", submit)
    record_property("bytes to answer", answer)
    print(f"bytes a task: {submit:.1f} to submit, {answer:.1f} to answer")
    assert submit <= MOST_TO_SUBMIT
    assert answer <= MOST_TO_ANSWER
