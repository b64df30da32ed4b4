"""Connection files and variables, read without a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paraply import _connection
from paraply._transport.base import Address, Pem

VECTOR = Path(__file__).parents[3] / "proto" / "testdata" / "connection.json"
VARIABLES = ("ADDRESS", "TOKEN", "ADMIN_TOKEN", "CONNECTION", "CA", "CERT", "KEY", "SERVER_NAME")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(f"PARAPLY_{name}", raising=False)


def vector(**changes: Any) -> dict[str, Any]:
    return {**json.loads(VECTOR.read_text()), **changes}


def test_the_vector_that_rust_reads() -> None:
    info = _connection.read(VECTOR)
    assert info.cluster_id == "quiet-heron"
    assert info.addresses == (  # the socket is another machine's
        Address(tcp="127.0.0.1:47311"),
        Address(tls="127.0.0.1:47312", server_name="paraply-controller"),
        Address(tls="paraply.example:443"),
    )
    assert [str(address) for address in info.addresses][1:] == ["tls:127.0.0.1:47312", "tls:paraply.example:443"]
    credentials = info.credentials
    assert (credentials.token[:4], credentials.admin_token[:4], credentials.identity) == ("a3f1", "0f1e", None)
    assert credentials.ca is not None
    assert credentials.ca.read().startswith(b"-----BEGIN CERTIFICATE-----")


def test_an_admins_file_is_a_clients_and_an_engines_is_not() -> None:
    assert _connection.parse(vector(role="admin")).credentials.token == vector()["token"]
    with pytest.raises(ValueError, match="this is the file for engines"):
        _connection.parse(vector(role="engine"))


@pytest.mark.parametrize("key", ["ca", "admin_token"])
def test_what_is_no_text_is_named(key: str) -> None:
    with pytest.raises(ValueError, match=f"'{key}' is not a str"):
        _connection.parse(vector(**{key: 7}))


def test_variables_go_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CA", "CERT", "KEY"):
        monkeypatch.setenv(f"PARAPLY_{name}", str(tmp_path / name))
    monkeypatch.setenv("PARAPLY_ADMIN_TOKEN", "of-the-environment")
    credentials = _connection.parse(vector()).credentials
    assert credentials.ca == Pem(file=tmp_path / "CA")
    assert credentials.identity == (Pem(file=tmp_path / "CERT"), Pem(file=tmp_path / "KEY"))
    assert credentials.admin_token == "of-the-environment"


def test_an_address_says_whether_it_is_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAPLY_TOKEN", "t")
    monkeypatch.setenv("PARAPLY_SERVER_NAME", "name")
    for text, address in {
        "host:7600": Address(tcp="host:7600"),
        "tls:host:7600": Address(tls="host:7600", server_name="name"),
        "unix:/run/x": Address(path="/run/x"),
    }.items():
        monkeypatch.setenv("PARAPLY_ADDRESS", text)
        assert _connection.find().addresses == (address,)
    monkeypatch.setenv("PARAPLY_ADDRESS", "tls:host")
    with pytest.raises(ValueError, match="tls:host:port"):
        _connection.find()


def test_a_certificate_has_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAPLY_KEY", "key.pem")
    with pytest.raises(ValueError, match="PARAPLY_KEY is set and PARAPLY_CERT is not"):
        _connection.parse(vector())
