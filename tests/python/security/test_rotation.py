"""Certificates and tokens that take others' place while engines and clients stay."""

from __future__ import annotations

import os
import ssl
import time
from pathlib import Path

import pytest
from home import eventually
from secured import Secured, make_credentials, secured

import paraply


def certificate(address: str) -> str:
    """What is shown there."""
    host, port = address.rsplit(":", 1)
    return ssl.get_server_certificate((host, int(port)))


def test_a_certificate_that_is_renewed_is_shown_to_who_comes_next(tmp_path: Path) -> None:
    with secured(tmp_path) as lab:
        lab.start_engines(2)
        with lab.client() as rc:
            rc.wait_for_engines(2, timeout=60)
            pids = rc[:].apply_sync(os.getpid)
            services = (lab.controller, lab.scheduler)
            before = [certificate(address) for address in services]
            # Another host is a reason to make a certificate anew.
            printed = make_credentials(lab.credentials, "--host", "another.example")
            assert "server.pem" in printed and "ca.pem" not in printed
            after = (lab.credentials / "server.pem").read_text()
            for address, old in zip(services, before, strict=True):
                eventually(lambda address=address, old=old: certificate(address) != old, "the new one is shown")
                assert certificate(address).strip() == after.strip()
            assert rc[:].apply_sync(os.getpid) == pids
        with lab.client() as rc:
            rc.wait_for_engines(2, timeout=60)
            assert rc[:].apply_sync(os.getpid) == pids


def test_tokens_take_each_others_place_under_a_running_cluster(tmp_path: Path) -> None:
    with secured(tmp_path) as lab:
        lab.start_engines(2)
        with lab.client() as rc:
            rc.wait_for_engines(2, timeout=60)
            pids = rc[:].apply_sync(os.getpid)
            old = lab.connection()["token"]
            for name in ("client", "engine", "admin"):
                lab.replace_token(name)
            for service in ("controller", "scheduler"):
                eventually(lambda service=service: "tokens: the files have changed" in lab.log(service), service)
            # The old one is good for the overlap, the new one from now on.
            for token in (old, lab.connection()["token"]):
                with lab.client(token=token) as other:
                    other.wait_for_engines(2, timeout=60)
            # Engines take the new one with their next keep-alive: a scheduler that never knew the old one has them.
            engine = (lab.credentials / "engine-token").read_text()
            assert engine in (lab.credentials / "engine" / "engine.json").read_text()
            _wait_for_keep_alives()
            lab.restart("scheduler", lab.scheduler, "--controller", f"tls:{lab.controller}")
            eventually(lambda: _answers(rc, pids), "the engines are back with the new token", seconds=60)
            # So has a controller.
            lab.restart("controller", lab.controller)
            with lab.client() as other:
                other.wait_for_engines(2, timeout=60)
                assert sorted(other.ids) == [0, 1]
                assert other[:].apply_sync(os.getpid) == pids
            with pytest.raises(ConnectionError, match="wrong token"):
                lab.client(token=old)


def _wait_for_keep_alives() -> None:
    """Every third of a lease of ten seconds. Nothing that can be seen from outside says that a file was read again."""
    time.sleep(4)


def _answers(rc: paraply.Client, pids: list[int]) -> bool:
    try:
        return rc[:].apply_async(os.getpid).get(timeout=5) == pids
    except (paraply.error.KernelError, TimeoutError):
        return False


def test_the_token_before_is_good_for_the_overlap_and_no_longer(tmp_path: Path) -> None:
    with secured(tmp_path) as short:
        short.env["PARAPLY_CONTROLLER_TOKEN_OVERLAP_MILLIS"] = "3000"
        short.restart("controller", short.controller)
        old = short.connection()["token"]
        short.replace_token("client")
        eventually(lambda: "tokens: the files have changed" in short.log("controller"), "it is read")
        eventually(lambda: _is_refused(short, old), "the old one is over")
        short.client(timeout=10).close()


def _is_refused(lab: Secured, token: str) -> bool:
    try:
        lab.client(token=token, timeout=1).close()
    except ConnectionError as error:
        return "wrong token" in str(error)
    return False
