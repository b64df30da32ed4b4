"""100,000 connections of nobody, at most 1,000 at a time, and what they leave behind: nothing."""

from __future__ import annotations

import os
from pathlib import Path

from home import eventually
from processes import memory
from secured import Secured, secured
from strangers import crowd

import paraply

#: A handshake of TLS takes this process as long as four connections in plain text.
ON_TLS, IN_PLAIN_TEXT = 30_000, 70_000
AT_A_TIME = 1000


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def besiege(address: str, pid: int, strangers: int, authority: Path | None) -> None:
    """Sends strangers there, and waits until the service is as it was."""
    # What is made once for all connections to come is made by the first.
    crowded: list[int] = []
    crowd(address, AT_A_TIME, authority, meanwhile=lambda: crowded.append(memory(pid)))
    eventually(lambda: memory(pid) < crowded[0] * 0.9, "the first are gone, and what they had was given back")
    before = (descriptors(pid), memory(pid))
    for _ in range(strangers // AT_A_TIME):
        crowd(address, AT_A_TIME, authority)
    eventually(lambda: descriptors(pid) <= before[0] * 1.1, f"{descriptors(pid)} descriptors, there were {before[0]}")
    eventually(lambda: memory(pid) <= before[1] * 1.1, f"{memory(pid)} bytes of memory, there were {before[1]}")
    print(f"{strangers} strangers: {before} before, {(descriptors(pid), memory(pid))} after")


def test_strangers_leave_nothing_behind_on_a_tls_port(tmp_path: Path) -> None:
    with secured(tmp_path) as lab:
        lab.start_engines(1)
        with lab.client() as rc:
            rc.wait_for_engines(1, timeout=60)
            besiege(lab.controller, lab.pid("controller"), ON_TLS, lab.credentials / "ca.pem")
            assert rc[:].apply_sync(abs, -1) == [1]
        _comes_in(lab)


def _comes_in(lab: Secured) -> None:
    with lab.client() as rc:
        rc.wait_for_engines(1, timeout=60)
        assert rc[:].apply_sync(abs, -1) == [1]


def test_strangers_leave_nothing_behind_on_a_plain_port(cluster: paraply.Cluster, rc: paraply.Client) -> None:
    """A cluster of `paraply start`."""
    address = next(address.tcp for address in rc._link.dialler.info.addresses if address.tcp)
    pid = next(
        service["pid"] for service in cluster._ask({"op": "status"})["services"] if service["name"] == "controller"
    )
    besiege(address, pid, IN_PLAIN_TEXT, None)
    assert rc[:].apply_sync(abs, -1) == [1] * 4
