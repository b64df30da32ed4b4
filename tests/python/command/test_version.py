"""The command and the client are of one version."""

import subprocess
import sysconfig
from pathlib import Path

import paraply

PARAPLY = Path(sysconfig.get_path("scripts"), "paraply")


def test_command_and_client_have_one_version() -> None:
    answer = subprocess.run([PARAPLY, "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout == f"paraply {paraply.__version__}\n"
