"""Stopping tasks on real engines, and leaving them when a client is closed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import paraply
from paraply.error import CompositeError, DependencyTimeout, RemoteError, TaskAborted, TaskTimeout
from paraply.util import interactive


@interactive
def sleep_long(marker: str) -> None:
    """Says that it runs, and goes on until it is interrupted."""
    import pathlib
    import time

    pathlib.Path(marker).touch()
    time.sleep(60)


def wait_for(marker: Path) -> None:
    end = time.monotonic() + 30
    while not marker.exists():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_cancel_interrupts_what_runs(rc: paraply.Client, tmp_path: Path) -> None:
    marker = tmp_path / "runs"
    running = rc[0].apply_async(sleep_long, str(marker))
    queued = rc[0].apply_async(abs, -1)
    wait_for(marker)
    assert queued.cancel()
    assert running.cancel()
    with pytest.raises(RemoteError, match="KeyboardInterrupt"):
        running.get(20)
    with pytest.raises(TaskAborted):
        queued.get(20)
    assert not running.cancel()
    assert rc[0].apply_sync(abs, -1) == 1


def test_cancel_of_code(rc: paraply.Client) -> None:
    result = rc[:].execute("import time\nprint('begun')\ntime.sleep(60)")
    end = time.monotonic() + 30
    while result.stdout != ["begun\n"] * 4:
        assert time.monotonic() < end
        time.sleep(0.005)
    assert result.cancel()
    with pytest.raises(CompositeError, match="KeyboardInterrupt"):
        result.get(20)


@pytest.mark.parametrize("direct", [True, False])
def test_run_timeout(rc: paraply.Client, direct: bool) -> None:
    view: Any = rc[1] if direct else rc.load_balanced_view()
    with view.temp_flags(run_timeout=0.1), pytest.raises(TaskTimeout) as caught:
        view.apply_async(time.sleep, 60).get(20)
    assert isinstance(caught.value, RemoteError)
    assert not isinstance(caught.value, DependencyTimeout)
    assert view.apply_sync(abs, -1) == 1


def test_a_signal_reaches_the_engine_named(rc: paraply.Client, tmp_path: Path) -> None:
    marker = tmp_path / "runs"
    running = rc[2].apply_async(sleep_long, str(marker))
    wait_for(marker)
    rc.send_signal(0)
    rc.send_signal("SIGINT", targets=2)
    with pytest.raises(RemoteError, match="KeyboardInterrupt"):
        running.get(20)


def test_abort_of_one_engines_tasks(rc: paraply.Client, tmp_path: Path) -> None:
    marker = tmp_path / "runs"
    running = rc[0].apply_async(sleep_long, str(marker))
    behind, elsewhere = rc[0].apply_async(abs, -1), rc[1].apply_async(abs, -1)
    wait_for(marker)
    rc.abort(targets=0)
    with pytest.raises(TaskAborted):
        behind.get(20)
    assert elsewhere.get(20) == 1
    running.cancel()
    running.wait(20)


def test_what_was_called_before_the_client_is_closed_runs(rc: paraply.Client, tmp_path: Path) -> None:
    with paraply.Client() as other:
        for number in range(5):
            other[3].apply_async(lambda folder, n: open(f"{folder}/{n}", "w").close(), str(tmp_path), number)
        other[3].apply_async(sum, list(range(200_000)))
        other[3].apply_async(lambda folder: open(f"{folder}/last", "w").close(), str(tmp_path))
    wait_for(tmp_path / "last")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2", "3", "4", "last"]


def test_what_was_called_before_the_program_ends_runs(rc: paraply.Client, tmp_path: Path) -> None:
    program = (
        "import sys, paraply\n"
        "rc = paraply.Client()\n"
        "rc.wait_for_engines(4)\n"
        "rc[0].apply_async(lambda: __import__('time').sleep(0.2))\n"
        "rc[0].push({'sent': bytes(3_000_000)})\n"
        "rc[0].apply_async(lambda path: open(path, 'w').close(), sys.argv[1])\n"
    )
    script = tmp_path / "program.py"
    script.write_text(program)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "last")], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    wait_for(tmp_path / "last")
    assert len(rc[0]["sent"]) == 3_000_000
