"""A collector that is not there, or takes a connection and never answers, costs tasks nothing and the end a moment."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from traced import BEGIN, Started

#: Seconds that the end of a process may take. The library's own patience is 30, and that of an export, below, 60.
END = 15

PROGRAM = """
import time

def works(x):
    from opentelemetry import trace
    with trace.get_tracer("mine").start_as_current_span("inside"):
        return x

assert view.apply_sync(works, 1) == 1
assert view.map_sync(works, range(500)) == list(range(500))
print("done", flush=True)
"""


@contextmanager
def nobody() -> Iterator[str]:
    """An address where nobody listens, kept from others."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextmanager
def silent() -> Iterator[str]:
    """An address where connections are taken, and nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("collector", [nobody, silent])
def test_tasks_and_the_end_do_not_wait_for_it(started: Started, collector: object) -> None:
    with collector() as endpoint, started(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as home:  # type: ignore[operator]
        with subprocess.Popen(
            [sys.executable, "-c", BEGIN + PROGRAM],
            env=home.env | {"OTEL_EXPORTER_OTLP_TIMEOUT": "60"},
            cwd=home.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            assert process.stdout.readline() == "done\n", process.stderr.read()
            done = time.monotonic()
            said = process.stderr.read()
            assert process.wait(timeout=60) == 0
            assert time.monotonic() - done < END
            assert said.count("\n") <= 2, said
        stopping = time.monotonic()
        home.run("stop", "--all")
        assert time.monotonic() - stopping < END
        assert home.log("scheduler").count("spans are lost") <= 1
