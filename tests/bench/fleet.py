"""A fleet of native engines on one scheduler: how soon they are there, how soon all answer, and how soon it is seen that they are not.

    python -m bench.fleet --engines 1000

Each engine has connections of its own; they share processes so that a machine has room for them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

from bench.processes import adopt_orphans, process
from bench.services import PATIENCE, Services, services, until
from paraply import Client, EngineError, native

#: The program that is engines, and measures: `cargo build --bin fleet`.
PROGRAM = "PARAPLY_BENCH_FLEET"


def main() -> None:
    """Measures, and prints one line of JSON for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", type=int, default=1000, help="in all (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=20, help="that they share (default: %(default)s)")
    parser.add_argument("--tasks", type=int, default=1_000_000, help="mapped over four engines (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the order in which processes die (default: %(default)s)"
    )
    options = parser.parse_args()
    adopt_orphans()
    _map(options.tasks)
    _fleet(options.engines, options.processes, random.Random(options.seed))


def _map(tasks: int) -> None:
    """A million tiny tasks on four engines."""
    with ExitStack() as stack:
        cluster = _cluster(stack)
        _engines(stack, cluster, 4, threads=4)
        before = _seconds(cluster)
        measured = _measure(cluster, "map", "--engines", "4", "--tasks", str(tasks))
        cpu = (_seconds(cluster) - before) / (tasks + 1000)
        rate = tasks / measured["seconds"]
        _say(
            "map",
            tasks=tasks,
            tasks_per_second=round(rate),
            scheduler_us_per_task=round(cpu * 1e6, 2),
            pi=measured["pi"],
        )


def _fleet(engines: int, processes: int, order: random.Random) -> None:
    with ExitStack() as stack:
        cluster = _cluster(stack)
        started = time.monotonic()
        shares = [engines // processes + (nth < engines % processes) for nth in range(processes)]
        hosts = [_engines(stack, cluster, share, threads=2) for share in shares if share]
        rc = stack.enter_context(Client(str(cluster.connection)))
        until(lambda: len(rc.ids) == engines, "the registration of all engines")
        registered = time.monotonic() - started
        _say(
            "register",
            engines=engines,
            processes=len(hosts),
            seconds=round(registered, 2),
            scheduler_mib=_mib(cluster.scheduler.pid),
            engines_mib=sum(_mib(host.pid) for host in hosts),
        )
        _say("broadcast", engines=engines, **_measure(cluster, "broadcast", "--engines", str(engines)))
        waiting = rc[:].apply(native("wait"))
        until(lambda: sum(_running(rc)) == engines, "the start of a task on each engine")
        balanced = rc.load_balanced_view().map(native("hits"), range(10_000), [10] * 10_000)
        order.shuffle(hosts)
        lost = time.monotonic()
        for nth, host in enumerate(hosts):
            if nth % 2:
                host.kill()
            elif host.stdin is not None:
                # Its connections go, and it lives on.
                host.stdin.close()
        until(lambda: not rc.ids, "the loss of all engines")
        noticed = time.monotonic() - lost
        waiting.wait(PATIENCE)
        results = time.monotonic() - lost
        _say("lose", engines=engines, noticed_seconds=round(noticed, 2), results_seconds=round(results, 2))
        failed = sum(isinstance(error, EngineError) for error in waiting.get(PATIENCE, return_exceptions=True))
        if failed != engines:
            raise SystemExit(f"{failed} of {engines} tasks say that their engine is gone")
        # What nobody had started is for whoever comes.
        _engines(stack, cluster, 2, threads=2)
        values = balanced.get(PATIENCE, return_exceptions=True)
        gone = sum(isinstance(value, EngineError) for value in values)
        wrong = [value for value in values if not isinstance(value, (int, EngineError))]
        _say("balanced", tasks=len(values), lost_with_engines=gone, wrong=len(wrong))
        if wrong:
            raise SystemExit(f"{len(wrong)} tasks have neither a result nor a lost engine, the first {wrong[0]!r}")


def _cluster(stack: ExitStack) -> Services:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    return stack.enter_context(services(folder, [], engines=0))


def _engines(stack: ExitStack, cluster: Services, engines: int, *, threads: int) -> subprocess.Popen[str]:
    file = cluster.connection.with_name("engine.json")
    numbers = ["--engines", str(engines), "--threads", str(threads)]
    command = [os.environ[PROGRAM], "engines", "--connection", str(file), *numbers]
    return stack.enter_context(process(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))


def _measure(cluster: Services, *what: str) -> dict[str, Any]:
    command = [os.environ[PROGRAM], *what, "--connection", str(cluster.connection)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _running(rc: Client) -> list[int]:
    return [state["tasks"] for name, state in rc.queue_status().items() if name != "unassigned"]


def _seconds(cluster: Services) -> float:
    """Of processor that the scheduler has used."""
    times = psutil.Process(cluster.scheduler.pid).cpu_times()
    return times.user + times.system


def _mib(pid: int) -> int:
    return round(psutil.Process(pid).memory_info().rss / 2**20)


def _say(part: str, **figures: Any) -> None:
    print(json.dumps({"part": part, **figures}), flush=True)


if __name__ == "__main__":
    main()
