"""Output: captured at descriptor level, tagged with its task, complete when the task is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest


def test_a_task_has_all_its_output_when_it_ends(cluster: Any) -> None:
    def write() -> None:
        print("out")
        print("no line end", end="")
        print("err", file=sys.stderr)

    done = cluster.run(write)
    assert (done.stdout, done.stderr) == ("out\nno line end", "err\n")


def test_a_task_that_wrote_nothing_has_no_output(cluster: Any) -> None:
    done = cluster.run(int)
    assert done.output == [] and done.outcome.stdout_bytes == 0


def test_subprocesses_and_descriptors_are_captured(cluster: Any) -> None:
    def write() -> None:
        os.write(1, b"descriptor\n")
        subprocess.run(["sh", "-c", "echo child; echo oops >&2"], check=True)

    done = cluster.run(write)
    assert (done.stdout, done.stderr) == ("descriptor\nchild\n", "oops\n")


def test_c_code_that_buffers_is_flushed(cluster: Any) -> None:
    def write() -> None:
        import ctypes

        ctypes.CDLL(None).printf(b"from C without a line end")

    assert cluster.run(write).stdout == "from C without a line end"


def test_output_comes_while_the_task_runs(cluster: Any) -> None:
    def write(path: str) -> str:
        print("begun")
        while not os.path.exists(path):
            time.sleep(0.01)
        return path

    go = Path(cluster.connection).with_name("go")
    index = cluster.call(write, str(go))
    cluster.wait_for_output(index, "begun\n")
    go.touch()
    assert cluster.wait(index).stdout == "begun\n"


def test_output_comes_while_the_task_holds_the_gil(cluster: Any) -> None:
    def write(size: int) -> None:
        import ctypes

        # PyDLL keeps the GIL for the whole call: nobody in Python could read what it writes.
        ctypes.PyDLL(None).write(1, b"x" * size, size)

    size = 1 << 20
    done = cluster.run(write, size)
    assert len(done.stdout) == size


def test_output_of_two_tasks_is_not_mixed(cluster: Any) -> None:
    indexes = [cluster.call(lambda n: print("x" * n, end=""), n) for n in range(200)]
    for n, index in enumerate(indexes):
        assert cluster.wait(index).stdout == "x" * n


def test_output_over_the_limit_keeps_its_beginning_and_its_end(cluster: Any) -> None:
    def write() -> None:
        print("first")
        for _ in range(60):
            print("-" * 99_999)
        print("last", flush=True)

    done = cluster.run(write)
    assert done.stdout.startswith("first\n") and done.stdout.endswith("-\nlast\n")
    assert done.outcome.stdout_bytes == len("first\n") + 60 * 100_000 + len("last\n")
    assert sum(piece.dropped_bytes for piece in done.output) == done.outcome.stdout_bytes - len(done.stdout)
    assert len(done.stdout) < (1 << 20) + (64 << 10)


def test_a_child_that_writes_on_does_not_hold_its_task_up(cluster: Any) -> None:
    def leave_one_behind() -> int:
        return subprocess.Popen(["sh", "-c", "while echo chatter; do :; done"]).pid

    before = time.monotonic()
    done = cluster.run(leave_one_behind)
    assert time.monotonic() - before < 10
    cluster.run(os.kill, done.value, 9)


def test_lone_surrogates_do_not_break_output(cluster: Any) -> None:
    assert cluster.run(print, "\udcff").stdout == "\\udcff\n"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_streams_are_text_with_a_descriptor(cluster: Any, name: str) -> None:
    def look(name: str) -> Any:
        stream = getattr(sys, name)
        return stream.fileno(), stream.encoding, stream.line_buffering, stream.isatty()

    assert cluster.run(look, name).value == ({"stdout": 1, "stderr": 2}[name], "utf-8", True, False)


def test_there_is_no_input(cluster: Any) -> None:
    assert cluster.run(input).failure.type_name == "EOFError"


@pytest.mark.parametrize(
    "harm",
    [
        "os.close(1); os.close(2)",
        "null = os.open(os.devnull, os.O_WRONLY); os.dup2(null, 1); os.dup2(null, 2)",
        "sys.stdout.close(); sys.stderr.close()",
        "sys.stdout = sys.stderr = None",
        "del sys.stdout, sys.stderr",
        "del sys.__stdout__; sys.__stderr__ = None; sys.stdout.close(); sys.stderr.close()",
    ],
)
def test_a_task_has_its_streams_whatever_the_one_before_did_to_its_own(cluster: Any, harm: str) -> None:
    def do(harm: str) -> None:
        exec(harm, {"os": os, "sys": sys})

    def write() -> None:
        print("out")
        os.write(1, b"descriptor\n")
        print("err", file=sys.stderr)

    cluster.run(do, harm)
    done = cluster.run(write)
    assert (done.stdout, done.stderr) == ("out\ndescriptor\n", "err\n")


def test_what_a_task_puts_in_place_of_a_stream_stays(cluster: Any) -> None:
    def replace() -> None:
        import io

        sys.kept = sys.stdout  # type: ignore[attr-defined]
        sys.stdout = io.StringIO()

    def put_back() -> Any:
        print("into the buffer")
        text = sys.stdout.getvalue()  # type: ignore[attr-defined]
        sys.stdout = sys.kept  # type: ignore[attr-defined]
        return text

    cluster.run(replace)
    assert cluster.run(put_back).value == "into the buffer\n"


def test_the_original_stream_is_flushed_too(cluster: Any) -> None:
    def write() -> None:
        import contextlib
        import io

        with contextlib.redirect_stdout(io.StringIO()):
            sys.__stdout__.write("no line end")  # type: ignore[union-attr]
            sys.kept = sys.stdout  # type: ignore[attr-defined]
        sys.stdout = sys.kept  # type: ignore[attr-defined]

    done = cluster.run(write)
    cluster.run(lambda: setattr(sys, "stdout", sys.__stdout__))
    assert done.stdout == "no line end"


def test_a_published_value_that_no_message_holds_is_refused_with_its_size(cluster: Any) -> None:
    def publish(size: int) -> None:
        import paraply_engine

        paraply_engine.publish(bytes(size))

    assert cluster.run(publish, 512 << 10).outcome.records == 1
    failure = cluster.run(publish, (512 << 10) + 1).failure
    assert failure.type_name == "RuntimeError" and "524289 bytes" in failure.message and "524288" in failure.message


def test_closed_descriptors_cost_nothing(cluster: Any) -> None:
    def close() -> float:
        kept = os.dup(1), os.dup(2)
        os.close(1)
        os.close(2)
        before = time.process_time()
        time.sleep(0.3)
        used = time.process_time() - before
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        return used

    assert cluster.run(close).value < 0.05
    assert cluster.run(print, "back").stdout == "back\n"
