"""Ways to hear from a supervisor: its socket, and what it shows."""

from __future__ import annotations

import json
import socket
import subprocess
from typing import Any

from home import Home


def ask(home: Home, line: bytes) -> dict[str, Any]:
    """What the supervisor answers to one line."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(home.record()["control"])
        connection.sendall(line + b"\n")
        return json.loads(connection.makefile().readline())


def engines(home: Home) -> dict[str, list[dict[str, int]]]:
    """The engine processes, by set."""
    return ask(home, b'{"op": "status"}')["report"]["engine_sets"]


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """What a process prints, up to the first line with the text."""
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"it never said {text!r}: {lines}")
