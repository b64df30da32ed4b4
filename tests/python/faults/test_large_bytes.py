"""Large bytes on their way while something happens to one of the two ends, or there is nowhere to put them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bystander import Bystander
from home import Home, eventually, leases
from processes import stopped

import paraply

BYTES = 64 << 20


@pytest.fixture
def settings() -> dict[str, str]:
    """Who stands still is not lost."""
    return leases(60)


def test_an_engine_that_stands_still_holds_up_nobody_elses_bytes(home: Home, rc: paraply.Client) -> None:
    array = np.ones(BYTES, dtype=np.uint8)
    with Bystander([2, 3]), stopped(home.status()["engines"][0]["pid"]):
        # More than the client sends at a time.
        waiting = [rc[0].apply_async(len, array) for _ in range(6)]
        assert [rc[1].apply_async(len, array).get(timeout=30) for _ in range(3)] == [BYTES] * 3
        assert not any(result.ready() for result in waiting)
    assert [result.get(timeout=60) for result in waiting] == [BYTES] * 6


def test_a_client_that_stands_still_holds_up_nobody_else_on_its_engine(
    home: Home, rc: paraply.Client, tmp_path: Path
) -> None:
    program = (
        "import sys, numpy, paraply\n"
        "rc = paraply.Client()\n"
        "rc.wait_for_engines(4)\n"
        f"results = [rc[0].apply_async(len, numpy.ones({BYTES}, dtype='u1')) for _ in range(8)]\n"
        "print('sent', flush=True)\n"
        f"assert [result.get(timeout=60) for result in results] == [{BYTES}] * 8\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], env=home.env, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "sent\n"
            # On the very engine that waits for the other's bytes, small calls and large ones.
            with stopped(child.pid), Bystander([0]):
                array = np.ones(BYTES, dtype=np.uint8)
                assert rc[0].apply_async(len, array).get(timeout=30) == BYTES
            assert child.wait(60) == 0
        finally:
            child.kill()


def test_a_result_at_its_engine_outlives_the_scheduler(home: Home, rc: paraply.Client) -> None:
    kept = rc[1].apply_async(np.arange, BYTES // 8)
    assert kept.wait(30)
    os.kill(scheduler_pid(home), signal.SIGKILL)
    assert np.array_equal(kept.get(timeout=60), np.arange(BYTES // 8))


def test_a_result_whose_engine_is_gone_says_so(home: Home, rc: paraply.Client) -> None:
    result = rc[1].apply_async(np.arange, BYTES // 8)
    assert result.wait(30)
    os.kill(home.status()["engines"][1]["pid"], signal.SIGKILL)
    with pytest.raises(ConnectionError, match="the engine that kept this result is gone"):
        result.get(timeout=60)
    assert rc[2].apply_async(len, np.ones(BYTES, dtype=np.uint8)).get(timeout=30) == BYTES


def test_arguments_of_a_client_that_leaves_are_left_behind(home: Home, rc: paraply.Client, tmp_path: Path) -> None:
    gate, done = tmp_path / "gate", tmp_path / "done"

    def wait_for(gate: str) -> None:
        import os
        import time

        while not os.path.exists(gate):
            time.sleep(0.01)

    def write(array: np.ndarray, path: str) -> None:  # type: ignore[type-arg]
        from pathlib import Path

        Path(path).write_text(str(int(array.sum())))

    leaving = paraply.Client()
    leaving.wait_for_engines(4, timeout=30)
    leaving[0].apply_async(wait_for, str(gate))
    with stopped(home.status()["engines"][0]["pid"]):
        leaving[0].apply_async(write, np.ones(BYTES, dtype=np.uint8), str(done))
        leaving.close()
    gate.touch()
    eventually(lambda: done.exists() and done.read_text() == str(BYTES), "the engine has what the client had")


def scheduler_pid(home: Home) -> int:
    return int(home.status()["scheduler"]["pid"])
