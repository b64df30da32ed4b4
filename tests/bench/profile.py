"""Where the time goes under no-op load: `make profile`.

Client and engine are sampled by py-spy: the client's threads while they hold the GIL, and an engine's main thread with its
native frames. The scheduler runs under callgrind, in a cluster of its own, since that makes it some fifty times slower:
its table is of instructions, those of its start included.
"""

from __future__ import annotations

import argparse
import collections
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.processes import adopt_orphans, environment, raise_on_termination
from bench.rounds import TESTS
from bench.services import PATIENCE, SCRIPTS, services

#: Functions of a table.
TOP = 15
#: Samples a second.
RATE = 500
#: Calls in which a thread waits.
WAITS = re.compile(r"^(epoll_wait|ppoll|poll|select|syscall|sem_(timed)?wait\S*|pthread_cond_(timed)?wait\S*) ")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make profile ARGS=...", description=__doc__)
    parser.add_argument("folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=8.0, help="how long the load lasts, twice (default: 8)")
    options = parser.parse_args()
    folder: Path = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    adopt_orphans()
    raise_on_termination()
    try:
        _sampled(folder, options.seconds)
        _counted(folder, options.seconds)
    except KeyboardInterrupt:
        sys.exit("stopped, and everything that was started with it")
    print(f"\nIn {folder}: folded stacks of client and engine, for speedscope; scheduler.callgrind, for KCachegrind.")


def self_samples(folded: Iterable[str]) -> list[tuple[str, float]]:
    """Functions by their own part of the samples, the greatest first, from lines like `main;call;send 17`."""
    samples: collections.Counter[str] = collections.Counter()
    for line in folded:
        stack, _, count = line.rstrip().rpartition(" ")
        # Wheels are stripped: the addresses in an extension are one line.
        function = re.sub(r"^0x[0-9a-f]+ ", "without a name ", stack.rpartition(";")[2])
        if not WAITS.match(function):
            samples[function] += int(count)
    whole = samples.total()
    return [(function, count / whole) for function, count in samples.most_common()]


def annotated(text: str) -> list[tuple[str, float]]:
    """Functions by their own part of the instructions, from what callgrind_annotate prints."""
    lines = re.findall(r"^ *[\d,]+ +\( *([\d.]+)%\) +(.*)$", text, re.MULTILINE)
    # `folders/file.rs:crate::function [/path/of/the/program]`
    named = (
        (re.sub(r" \[.*\]$", "", name.strip()).rpartition("/")[2], float(percent) / 100) for percent, name in lines
    )
    return [(name, part) for name, part in named if name != "PROGRAM TOTALS"]


def under_callgrind(counts: Path) -> list[str]:
    """What runs a program so that the instructions of its functions are written to a file."""
    return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}"]


def what_callgrind_counted(service: subprocess.Popen[str], counts: Path, *options: str) -> str:
    """Ends a service as services end, upon which callgrind writes, and returns what callgrind_annotate makes of it."""
    service.send_signal(signal.SIGTERM)
    service.wait(PATIENCE)
    command = ["callgrind_annotate", "--auto=no", *options, str(counts)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _sampled(folder: Path, seconds: float) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="profile-") as home,
        services(Path(home), []) as running,
        _load(running.connection, seconds) as load,
    ):
        spies = {
            "client": _spy(folder / "client.folded", load.pid, seconds, "--gil"),
            "engine": _spy(folder / "engine.folded", running.engines[0].pid, seconds, "--native"),
        }
        _say_done(load, "as it is")
        for name, spy in spies.items():
            _, said = spy.communicate(timeout=PATIENCE)
            if spy.returncode:
                raise RuntimeError(f"py-spy could not look into the {name}: {said}")
    for name in spies:
        _print(f"{name}, samples", self_samples((folder / f"{name}.folded").read_text().splitlines()))


def _counted(folder: Path, seconds: float) -> None:
    counts = folder / "scheduler.callgrind"
    counts.unlink(missing_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="profile-") as home,
        services(Path(home), under_callgrind(counts)) as running,
    ):
        with _load(running.connection, seconds) as load:
            _say_done(load, "whose scheduler is under callgrind")
        shown = what_callgrind_counted(running.scheduler, counts)
    (folder / "scheduler.txt").write_text(shown)
    _print("scheduler, instructions", annotated(shown))


@contextmanager
def _load(connection: Path, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """A process that begins to call no-ops, for so many seconds."""
    command = [sys.executable, "-m", "bench.load", str(connection), str(seconds)]
    env = environment(PYTHONPATH=str(TESTS))
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdout
        if load.stdout.readline() != "begins\n":
            raise RuntimeError("the load has not begun")
        yield load


def _say_done(load: subprocess.Popen[str], how: str) -> None:
    assert load.stdout
    done = load.stdout.readline().strip()
    if load.wait(PATIENCE) or not done:
        raise RuntimeError("the load has failed")
    print(f"\nA cluster {how}: {int(done):,} no-ops", flush=True)


def _spy(file: Path, pid: int, seconds: float, *options: str) -> subprocess.Popen[str]:
    """Samples a process for as long as the load lasts: folded stacks."""
    command = [str(SCRIPTS / "py-spy"), "record", "--pid", str(pid), "--duration", str(round(seconds)), *options]
    command += ["--rate", str(RATE), "--format", "raw", "--output", str(file)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _print(title: str, functions: list[tuple[str, float]]) -> None:
    print(f"\n{title}")
    for name, part in functions[:TOP]:
        print(f"  {part:6.1%}  {name[:110]}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
