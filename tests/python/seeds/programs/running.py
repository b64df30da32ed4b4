"""Runs programs in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run(arguments: list[str], folder: Path) -> str:
    """Runs a Python program in `folder` and gives what it printed. Any warning is an error."""
    environment = os.environ | {"IPYTHONDIR": str(folder / "ipython"), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def run_in_ipython(document: str, folder: Path) -> str:
    """Runs a document cell by cell in an IPython shell and gives what it printed."""
    path = folder / "document.ipy"
    path.write_text(document)
    return run([str(Path(__file__).parent / "in_ipython.py"), str(path)], folder)
