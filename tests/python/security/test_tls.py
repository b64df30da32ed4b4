"""A client of a cluster that speaks TLS: who is let in, and what each other one is told."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from home import PARAPLY, eventually
from secured import Secured, clean_environment, make_credentials, secured

import paraply

#: An authority that is valid for long, and a certificate by it that was for a day of 2020.
EXPIRED = Path(__file__).parent / "expired"


def test_a_whole_cluster_over_tls(lab: Secured) -> None:
    with lab.client() as rc:
        rc.wait_for_engines(2, timeout=60)
        assert rc[:].apply_sync(lambda: 6 * 7) == [42, 42]
        large = b"x" * (1 << 20)
        assert rc[:].apply_sync(len, large) == [len(large)] * 2
        assert rc.load_balanced_view().map_sync(abs, range(-100, 0)) == list(range(100, 0, -1))


def test_either_service_is_one_port_for_all(lab: Secured) -> None:
    """The scheduler passes on what is the controller's, over TLS too."""
    with lab.client(endpoints=[{"tls": lab.scheduler}]) as rc:
        rc.wait_for_engines(2, timeout=60)
        assert rc[:].apply_sync(abs, -2) == [2, 2]


def test_by_address_and_environment(lab: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAPLY_ADDRESS", f"tls:{lab.controller}")
    monkeypatch.setenv("PARAPLY_TOKEN", lab.connection()["token"])
    monkeypatch.setenv("PARAPLY_CA", str(lab.credentials / "ca.pem"))
    with paraply.Client() as rc:
        assert rc.wait_for_engines(2, timeout=60) is None
    monkeypatch.setenv("PARAPLY_CA", str(lab.credentials / "none.pem"))
    with pytest.raises(ConnectionError, match=r"cannot read .*none\.pem"):
        paraply.Client(timeout=1)


def test_another_authority_is_not_trusted(lab: Secured, tmp_path: Path) -> None:
    make_credentials(tmp_path)
    with pytest.raises(ConnectionError, match=r"by no authority that is trusted here"):
        lab.client(ca=(tmp_path / "ca.pem").read_text(), timeout=1)


def test_a_certificate_that_has_expired_is_refused(tmp_path: Path) -> None:
    with secured(tmp_path) as lab:
        shutil.copytree(EXPIRED, lab.credentials, dirs_exist_ok=True)
        changed = "certificate: the files have changed and are used"
        eventually(lambda: changed in lab.log("controller"), "the expired certificate is shown")
        authority = (EXPIRED / "ca.pem").read_text()
        with pytest.raises(ConnectionError, match=r"certificate has expired"):
            lab.client(ca=authority, timeout=1)
        # So is one of an engine, whose log says it.
        (lab.credentials / "engine" / "engine.json").write_text(
            json.dumps({**lab.connection("engine"), "ca": authority})
        )
        lab.start_engine("engine")
        eventually(lambda: "paraply credentials" in lab.log("engine"), "the engine says what to do")


def test_a_certificate_is_for_a_name(lab: Secured) -> None:
    endpoint = {"tls": lab.controller, "server_name": "elsewhere.example"}
    with pytest.raises(ConnectionError, match=r"server_name"):
        lab.client(endpoints=[endpoint], timeout=1)
    with lab.client(endpoints=[{**endpoint, "server_name": "localhost"}]) as rc:
        rc.wait_for_engines(2, timeout=60)


def test_plain_text_to_a_tls_port_is_told_so(lab: Secured) -> None:
    with pytest.raises(ConnectionError, match=r"this port speaks TLS"):
        lab.client(endpoints=[{"tcp": lab.controller}], timeout=5)


def test_tls_to_a_plain_port_is_told_so(tmp_path: Path, lab: Secured, rc: paraply.Client) -> None:
    """`rc` is of a cluster of `paraply start`."""
    plain = next(address.tcp for address in rc._link.dialler.info.addresses if address.tcp)
    with pytest.raises(ConnectionError, match=r"it speaks plain text: name it as a 'tcp' endpoint"):
        lab.client(endpoints=[{"tls": plain}], timeout=1)


def test_a_certificate_is_asked_for(mutual: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionError, match=r"PARAPLY_CERT and PARAPLY_KEY"):
        mutual.client(timeout=5)
    monkeypatch.setenv("PARAPLY_CERT", str(mutual.credentials / "client" / "client.pem"))
    with pytest.raises(ValueError, match="PARAPLY_CERT is set and PARAPLY_KEY is not"):
        mutual.client()
    monkeypatch.setenv("PARAPLY_KEY", str(mutual.credentials / "client" / "client-key.pem"))
    with mutual.client() as rc:
        rc.wait_for_engines(1, timeout=60)
        assert rc[:].apply_sync(abs, -1) == [1]


def test_others_cannot_reach_a_plain_port(tmp_path: Path) -> None:
    for name in ("client", "engine"):
        (tmp_path / name).write_text(f"{name}-token-0123456789\n")
    tokens = ["--client-token-file", "client", "--engine-token-file", "engine"]
    for service in ("controller", "scheduler"):
        command = [PARAPLY, service, "--cluster-id", "lab", *tokens, "--listen", "0.0.0.0:0"]
        done = subprocess.run(
            command, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert "--tls-cert-file" in done.stderr
        assert "paraply credentials" in done.stderr


def test_a_scheduler_on_every_address_says_where_it_is(tmp_path: Path) -> None:
    make_credentials(tmp_path)
    files = {"tls-cert-file": "server.pem", "tls-key-file": "server-key.pem"}
    files |= {f"{name}-token-file": f"{name}-token" for name in ("client", "engine")}
    flags = [part for flag, file in files.items() for part in (f"--{flag}", file)]
    command = [PARAPLY, "scheduler", "--cluster-id", "lab", *flags, "--listen", "0.0.0.0:0"]
    done = subprocess.run(command, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--advertise tls:" in done.stderr
