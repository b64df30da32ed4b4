"""Which cluster to connect to: connection files, environment variables, and where clusters of this machine are."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paraply._transport.base import Address, Credentials, Pem

#: Version of the connection file that this client reads.
FORMAT_VERSION = 1
#: The cluster of a profile that is meant when none is named.
DEFAULT_CLUSTER = "default"
_HINT = "Is a cluster running? Start one with `paraply start -n 4`"


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """How to reach a cluster.

    Args:
        cluster_id: The cluster to expect, empty for any.
        addresses: Where its controller may be, best first.
        credentials: What opens it.
        profile: The profile that it belongs to, if it is known.
        file: Where this was read from, if it was read.
        launched_by_command: Whether `paraply scale` is what starts engines there, and ends them.
    """

    cluster_id: str
    addresses: tuple[Address, ...]
    credentials: Credentials
    profile: str = ""
    file: Path | None = None
    launched_by_command: bool = False

    def source(self) -> str:
        """Where this comes from, for messages."""
        return str(self.file) if self.file else "the connection information given"


def home() -> Path:
    """Where the clusters of this user on this machine are."""
    if home := os.environ.get("PARAPLY_HOME"):
        return Path(home)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "paraply"


def parse(content: Mapping[str, Any], file: Path | None = None) -> ConnectionInfo:
    """Reads the content of a connection file. Raises ValueError, which says what is wrong with it."""
    source = str(file) if file else "connection_info"
    version = content.get("version")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{source}: version {version!r} of the format; this client reads version {FORMAT_VERSION}. "
            "Use a client and a cluster of the same release."
        )
    if content.get("role", "client") not in ("client", "admin"):
        raise ValueError(f"{source}: this is the file for engines; clients use the connection.json beside it")
    for key, kind in (("token", str), ("endpoints", list)):
        if not isinstance(content.get(key), kind):
            raise _wrong(source, f"{key!r} is missing or not a {kind.__name__}")
    addresses = tuple(_usable_addresses(content["endpoints"], source))
    if not addresses:
        raise ValueError(f"{source}: no endpoint in it can be reached from this machine")
    return ConnectionInfo(
        cluster_id=str(content.get("cluster_id", "")),
        addresses=addresses,
        credentials=_credentials(content, source),
        profile=str(content.get("profile", "")),
        file=file,
        launched_by_command="launcher" in content,
    )


def _credentials(content: Mapping[str, Any], source: str) -> Credentials:
    for key in ("admin_token", "ca"):
        if not isinstance(content.get(key, ""), str):
            raise _wrong(source, f"{key!r} is not a str")
    ca = Pem(text=content["ca"]) if content.get("ca") else None
    return from_environment(content["token"], content.get("admin_token", ""), ca)


def from_environment(token: str, admin_token: str = "", ca: Pem | None = None) -> Credentials:
    """These, and what PARAPLY_ADMIN_TOKEN, PARAPLY_CA, PARAPLY_CERT and PARAPLY_KEY say, which goes before.

    Raises:
        ValueError: A certificate is named without its key, or the reverse.
    """
    cert, key = os.environ.get("PARAPLY_CERT"), os.environ.get("PARAPLY_KEY")
    if bool(cert) != bool(key):
        given, missing = ("PARAPLY_CERT", "PARAPLY_KEY") if cert else ("PARAPLY_KEY", "PARAPLY_CERT")
        raise ValueError(f"{given} is set and {missing} is not: a certificate is of no use without its key")
    if file := os.environ.get("PARAPLY_CA"):
        ca = Pem(file=Path(file))
    identity = (Pem(file=Path(cert)), Pem(file=Path(key))) if cert and key else None
    return Credentials(token, os.environ.get("PARAPLY_ADMIN_TOKEN") or admin_token, ca, identity)


def _wrong(source: str, what: str) -> ValueError:
    return ValueError(f"{source}: {what}")


def _usable_addresses(endpoints: list[Any], source: str) -> Iterator[Address]:
    for endpoint in endpoints:
        if not isinstance(endpoint, Mapping):
            raise _wrong(source, f"an endpoint is {endpoint!r}; it has to be an object with 'unix', 'tcp' or 'tls'")
        if path := endpoint.get("unix"):
            if is_here(path, endpoint.get("boot_id", "")):
                yield Address(path=path)
        elif tcp := endpoint.get("tcp"):
            yield Address(tcp=tcp)
        elif tls := endpoint.get("tls"):
            yield Address(tls=tls, server_name=endpoint.get("server_name", ""))


def is_here(path: str, boot_id: str) -> bool:
    """Whether a Unix socket exists on this machine, which may be another one than the one that named it."""
    return (not boot_id or boot_id == _boot_id()) and os.path.exists(path)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def read(file: Path) -> ConnectionInfo:
    """Reads a connection file. Raises OSError or ValueError."""
    try:
        content = json.loads(file.read_text())
    except ValueError as wrong:
        raise ValueError(f"{file}: not a connection file: {wrong}") from None
    if not isinstance(content, dict):
        raise _wrong(str(file), "not a connection file: no JSON object")
    return parse(content, file)


def find(
    connection_info: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    profile: str | None = None,
    profile_dir: str | os.PathLike[str] | None = None,
    cluster_id: str | None = None,
    timeout: float = 10.0,
) -> ConnectionInfo:
    """Finds a cluster: the argument, else PARAPLY_ADDRESS, else PARAPLY_CONNECTION, else the profile's default cluster.

    A named profile or cluster goes before the environment. A file that is not there yet is waited for.

    Args:
        timeout: Seconds to wait for a connection file.

    Raises:
        OSError: There is no such cluster.
        ValueError: What was given is not connection information.
    """
    if isinstance(connection_info, Mapping):
        return parse(connection_info)
    if connection_info is not None:
        return _read_when_there(_as_path(connection_info), timeout)
    if profile is None and profile_dir is None and cluster_id is None:
        if address := os.environ.get("PARAPLY_ADDRESS"):
            return _from_address(address, os.environ.get("PARAPLY_TOKEN", ""))
        if file := os.environ.get("PARAPLY_CONNECTION"):
            return _read_when_there(Path(file), timeout)
    folder = Path(profile_dir) if profile_dir is not None else home() / (profile or "default")
    if cluster_id:
        return _read_when_there(folder / cluster_id / "connection.json", timeout)
    return _default_cluster(folder, timeout)


def _as_path(given: str | os.PathLike[str]) -> Path:
    if isinstance(given, str) and "://" in given:
        raise ValueError(f"{given!r} is a URL; pass the path of a connection file, or its content as a dictionary")
    return Path(given).expanduser()


def _from_address(address: str, token: str) -> ConnectionInfo:
    if not token:
        raise OSError("PARAPLY_ADDRESS is set and PARAPLY_TOKEN is not: set it to the cluster's client token")
    credentials = from_environment(token)
    if address.startswith("unix:"):
        return ConnectionInfo("", (Address(path=address.removeprefix("unix:")),), credentials)
    plain = address.removeprefix("tls:")
    host, colon, port = plain.rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise ValueError(f"PARAPLY_ADDRESS is {address!r}; it has to be host:port, tls:host:port or unix:/path")
    if plain == address:
        return ConnectionInfo("", (Address(tcp=address),), credentials)
    server_name = os.environ.get("PARAPLY_SERVER_NAME", "")
    return ConnectionInfo("", (Address(tls=plain, server_name=server_name),), credentials)


def _read_when_there(file: Path, timeout: float) -> ConnectionInfo:
    for _ in _attempts(timeout, str(file)):
        if file.exists():
            return read(file)
    raise OSError(f"Connection file {str(file)!r} not found. {_HINT}.")


def _default_cluster(folder: Path, timeout: float) -> ConnectionInfo:
    """The cluster `default` of a profile if it runs, else the newest one that does."""
    default = folder / DEFAULT_CLUSTER / "connection.json"
    for _ in _attempts(timeout, str(default)):
        files = sorted(folder.glob("*/connection.json"), key=_age)
        for file in (default, *(file for file in files if file != default)):
            if file.exists() and any(map(_answers, (info := read(file)).addresses)):
                return info
    if default.exists():
        raise OSError(f"The cluster of {default} does not answer: it is gone. Start one with `paraply start -n 4`.")
    raise OSError(f"Connection file {str(default)!r} not found. {_HINT}.")


def _attempts(timeout: float, file: str) -> Iterator[None]:
    """Once now, then now and then until the time is over; says once what it waits for."""
    end = time.monotonic() + timeout
    yield
    print(f"Waiting for connection file: {file}")
    while time.monotonic() < end:
        time.sleep(0.1)
        yield


def _age(file: Path) -> float:
    try:
        return -file.stat().st_mtime
    except OSError:
        return 0.0


def _answers(address: Address) -> bool:
    """Whether something listens there. A cluster that was killed leaves its files behind."""
    port = address.tcp or address.tls
    family = socket.AF_UNIX if address.path else socket.AF_INET
    if port.startswith("["):
        family = socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(address.path or _host_and_port(port))
        except (OSError, ValueError):
            return False
    return True


def _host_and_port(tcp: str) -> tuple[str, int]:
    host, _, port = tcp.rpartition(":")
    return host.strip("[]"), int(port)
