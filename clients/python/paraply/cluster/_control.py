"""Asking the supervisor of a running cluster: one line of JSON each way (`docs/protocol.md`)."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

#: Seconds for a supervisor to end everything; it gives itself less.
STOP_PATIENCE = 20.0


def ask(control: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Sends a request and returns the content of the answer.

    Raises:
        KeyError: There is no such engine or set of engines.
        ValueError: The request is not one.
        RuntimeError: It could not be done.
        OSError: No supervisor listens there.
    """
    with _connect(control) as connection:
        return _exchange(connection, request)


def stop(control: Path) -> None:
    """Stops a cluster and returns when it is gone, which it may be already."""
    try:
        connection = _connect(control)
    except OSError:
        return
    with connection:
        _exchange(connection, {"op": "stop"})
        connection.settimeout(STOP_PATIENCE)
        try:
            connection.recv(1)
        except TimeoutError:
            raise TimeoutError(f"the cluster did not stop within {STOP_PATIENCE:.0f} s") from None
        except ConnectionError:
            return


def is_running(control: Path) -> bool:
    """Whether a supervisor listens there."""
    try:
        _connect(control).close()
    except OSError:
        return False
    return True


def _connect(control: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(control))
    except BaseException:
        connection.close()
        raise
    return connection


def _exchange(connection: socket.socket, request: dict[str, Any]) -> dict[str, Any]:
    connection.sendall(json.dumps(request).encode() + b"\n")
    with connection.makefile("rb") as answers:
        line = answers.readline()
    if not line:
        raise RuntimeError("the cluster's supervisor ended before it answered")
    ((kind, content),) = json.loads(line).items()
    if kind == "error":
        errors = {"not_found": KeyError, "invalid": ValueError}
        raise errors.get(content["kind"], RuntimeError)(content["message"])
    result: dict[str, Any] = content
    return result
