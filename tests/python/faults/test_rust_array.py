"""A large array from Rust to a Python engine and back: bit for bit, past a scheduler that does not grow."""

from __future__ import annotations

import os
import subprocess

from home import Home
from processes import bounded, memory
from rust_examples import built

MIB = int(os.environ.get("PARAPLY_RUST_ARRAY_MIB", "256"))
#: What the scheduler may have beyond what it has when idle.
GROWTH = 64 << 20


def test_it_comes_back_and_the_scheduler_does_not_grow(home: Home) -> None:
    program = built("array")

    def send(mib: int) -> str:
        command = [str(program), str(mib), "0"]
        done = subprocess.run(command, env=home.env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    # Whatever is loaded at the first use is loaded.
    send(2)
    pid = home.status()["scheduler"]["pid"]
    with bounded(pid, memory(pid) + GROWTH):
        said = send(MIB)
    assert f"equal bits: {MIB} MiB" in said
