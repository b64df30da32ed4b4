"""A task that holds the GIL in C for many leases: its engine is as alive as any, and can be rid of it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from bystander import Bystander
from home import Home, eventually, leases

import paraply
from paraply.error import RemoteError
from paraply.util import interactive

LEASE = 3.0


@pytest.fixture
def settings() -> dict[str, str]:
    """Leases that run out several times while a test lasts."""
    return leases(LEASE)


@interactive
def hold_the_gil(marker: str) -> int:
    """Stays in C, where no interrupt is seen and no thread of Python runs, for the better part of an hour."""
    open(marker, "w").close()
    return sum(range(10**11))


@interactive
def print_now_and_then(go: str) -> None:
    import os
    import time

    line = 0
    while not os.path.exists(go):
        print("line", line := line + 1, flush=True)
        time.sleep(0.05)


def test_its_engine_is_not_lost_and_nobody_else_notices(home: Home, rc: paraply.Client, tmp_path: Path) -> None:
    go = tmp_path / "go"
    printing = rc[1].apply_async(print_now_and_then, str(go))
    held = rc[2].apply_async(hold_the_gil, str(tmp_path / "held"))
    behind = rc[2].apply_async(abs, -1)
    eventually((tmp_path / "held").exists, "it runs")
    pids = {engine["engine_id"]: engine["pid"] for engine in home.status()["engines"]}
    with Bystander([0, 3]) as bystander:
        end = time.monotonic() + 5 * LEASE
        while time.monotonic() < end:
            engines = home.status()["engines"]
            assert {engine["engine_id"]: engine["pid"] for engine in engines} == pids
            assert [engine["state"] for engine in engines] == ["ready"] * 4
            written = len(printing.stdout)
            eventually(lambda written=written: len(printing.stdout) > written, "output of another engine flows")
            bystander.goes_on()
        assert rc.ids == [0, 1, 2, 3]
        assert not held.done() and not behind.done()
        asked = time.monotonic()
        assert held.cancel(kill_after=1)
        assert isinstance(held.exception(timeout=10), RemoteError)
        assert 0.9 < time.monotonic() - asked < 10
        eventually(lambda: rc.ids == [0, 1, 3], "the client knows")
        with pytest.raises(RemoteError):
            behind.get(timeout=10)
        with pytest.raises(ProcessLookupError):
            eventually(lambda: os.kill(pids[2], 0), "its process ends")
    go.touch()
    printing.get(timeout=10)
    lines = printing.stdout.splitlines()
    assert lines == [f"line {n}" for n in range(1, len(lines) + 1)]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "nobody interrupted the client"
