"""Clients that are wrong, broken or gone, while another goes on working."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from home import Home, eventually

import paraply


def works(rc: paraply.Client) -> None:
    assert rc.load_balanced_view().map_sync(abs, range(-8, 0)) == list(range(8, 0, -1))
    assert len(set(rc[:].apply_sync(os.getpid))) == 4


def test_a_wrong_token_is_refused_and_says_so(home: Home, rc: paraply.Client) -> None:
    info = json.loads((home.folder / "home" / "default" / "default" / "connection.json").read_text())
    with pytest.raises(OSError, match="token"):
        paraply.Client({**info, "token": "0" * len(info["token"])}, timeout=5)
    works(rc)


def test_a_client_that_is_killed_in_the_middle_of_its_stream(home: Home, rc: paraply.Client, tmp_path: Path) -> None:
    marker = tmp_path / "submitted"
    program = (
        "import pathlib, time, paraply\n"
        "rc = paraply.Client()\n"
        "rc.wait_for_engines(4)\n"
        "results = [rc.load_balanced_view().apply_async(time.sleep, 0.002) for _ in range(500)]\n"
        "results[0].get()\n"
        f"pathlib.Path({str(marker)!r}).touch()\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], env=home.env)
    try:
        eventually(marker.exists, "it has submitted")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    works(rc)


def test_nobody_at_the_address(home: Home, rc: paraply.Client) -> None:
    info = json.loads((home.folder / "home" / "default" / "default" / "connection.json").read_text())
    with pytest.raises(OSError, match=r"127\.0\.0\.1:1\b"):
        paraply.Client({**info, "endpoints": [{"tcp": "127.0.0.1:1"}]}, timeout=2)
    works(rc)
