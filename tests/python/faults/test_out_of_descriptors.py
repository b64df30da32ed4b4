"""A service that may open no more files or sockets: who is there works on, and who comes later waits for room."""

from __future__ import annotations

import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from bystander import Bystander
from home import Home, eventually
from processes import processor_time

import paraply

#: Descriptors that are left to the service, and connections that want one.
LEFT, WANTED = 8, 64


@contextmanager
def few_descriptors(pid: int) -> Iterator[None]:
    """The process may open only a few more."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + LEFT, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def socket_of(home: Home, service: str) -> str:
    connection = json.loads((home.folder / "home" / "default" / "default" / "connection.json").read_text())
    controller = next(endpoint["unix"] for endpoint in connection["endpoints"] if "unix" in endpoint)
    return str(Path(controller).with_name(f"{service}.sock"))


@pytest.mark.parametrize("service", ["controller", "scheduler"])
def test_who_is_there_works_on_and_others_come_in_when_there_is_room(
    home: Home, rc: paraply.Client, service: str
) -> None:
    pid = home.status()[service]["pid"]
    path = socket_of(home, service)
    view = rc.load_balanced_view()
    with Bystander([0, 1, 2, 3]) as bystander, few_descriptors(pid):
        with ExitStack() as connections:
            for _ in range(WANTED):
                # They are in the queue of the socket, whether the service takes them or not.
                connection = connections.enter_context(socket.socket(socket.AF_UNIX))
                connection.connect(path)
            eventually(lambda: "cannot accept a connection" in home.log(service), "it cannot take one more")
            used, since, calls = processor_time(pid), time.monotonic(), len(bystander.took)
            bystander.goes_on(100)
            share = (processor_time(pid) - used) / (time.monotonic() - since)
            work = (len(bystander.took) - calls) / (time.monotonic() - since)
            assert view.map_async(abs, range(-100, 0)).get(timeout=10) == list(range(100, 0, -1))
            # A service that tries again at once takes a whole processor; one that waits takes what the calls take.
            assert share < 0.5, f"{share:.0%} of a processor for {work:.0f} calls a second"
            assert home.log(service).count("cannot accept a connection") < 10, "nor does it fill the log"
            with pytest.raises(OSError, match="No cluster answers"):
                paraply.Client(timeout=2)
        with paraply.Client(timeout=30) as newcomer:
            newcomer.wait_for_engines(4, timeout=30)
            assert newcomer[:].apply_async(abs, -1).get(timeout=10) == [1] * 4
    pids = {home.status()[name]["pid"] for name in ("controller", "scheduler")}
    assert pid in pids, "nobody had to start it again"
