"""What a local cluster of four engines takes: latency, throughput, bandwidth and memory of the services.

Figures depend on the machine and on what else it does: compare those of one run, not those of two machines.

Usage: local.py [--engines N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil

import paraply

MIB = 1 << 20


def nothing(*_: Any) -> None:
    """A no-op."""


def same(x: Any) -> Any:
    """What came."""
    return x


def seconds(call: Callable[[], Any], times: int = 1) -> list[float]:
    """How long each of several calls took."""
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        took.append(time.perf_counter() - begun)
    return took


def started(engines: int) -> tuple[float, Any]:
    """Seconds from nothing to a result of every engine, and the client."""
    begun = time.perf_counter()
    client = paraply.Cluster(n=engines).start_and_connect_sync(activate=False)
    client[:].apply_sync(nothing)
    return time.perf_counter() - begun, client


def latencies(rc: Any) -> dict[str, tuple[float, str]]:
    """Blocking calls, one after the other."""
    one, everyone = rc[rc.ids[0]], rc[:]
    seconds(lambda: one.apply_sync(nothing), 50)
    took = sorted(seconds(lambda: one.apply_sync(nothing), 1000))
    seconds(lambda: everyone.apply_sync(nothing), 20)
    all_took = seconds(lambda: everyone.apply_sync(nothing), 300)
    return {
        "blocking no-op, one engine": (statistics.median(took) * 1e6, "us"),
        "the same, 99th percentile": (took[990] * 1e6, "us"),
        "blocking no-op, all engines": (statistics.median(all_took) * 1e6, "us"),
    }


def rates(rc: Any) -> dict[str, tuple[float, str]]:
    """Many tasks, each of its own."""
    view = rc.load_balanced_view()
    numbers = list(range(5000))
    pieces = [bytes([n % 256]) * 1024 for n in range(2000)]

    def mapped() -> None:
        assert view.map_sync(same, numbers) == numbers

    def submitted() -> None:
        assert [result.get() for result in [view.apply_async(same, n) for n in numbers]] == numbers

    def mapped_kib() -> None:
        assert view.map_sync(same, pieces) == pieces

    mapped()
    return {
        "balanced no-ops": (5000 / statistics.median(seconds(mapped, 3)), "1/s"),
        "independent asynchronous no-ops": (5000 / statistics.median(seconds(submitted, 3)), "1/s"),
        "balanced tasks of 1 KiB both ways": (2000 / statistics.median(seconds(mapped_kib, 3)), "1/s"),
    }


def bandwidths(rc: Any) -> dict[str, tuple[float, str]]:
    """A large array to engines and back; changed before each time, so that no cache can answer."""
    one, everyone = rc[rc.ids[0]], rc[:]
    array = np.random.default_rng(0).random(64 * MIB // 8)
    small = array[: 16 * MIB // 8]

    def rate(move: Callable[[], Any], nbytes: int = array.nbytes) -> tuple[float, str]:
        took = []
        for turn in range(5):
            array[turn * 1000] += 1
            took += seconds(move)
        return nbytes / 1e6 / statistics.median(took), "MB/s"

    found = {
        "push 64 MiB": rate(lambda: one.push({"a": array}, block=True)),
        "pull 64 MiB": rate(lambda: one.pull("a", block=True)),
        "scatter 64 MiB": rate(lambda: everyone.scatter("b", array, block=True)),
        "gather 64 MiB": rate(lambda: everyone.gather("b", block=True)),
        "push 16 MiB to all": rate(lambda: everyone.push({"c": small}, block=True), small.nbytes * len(rc)),
    }
    assert np.array_equal(everyone.gather("b", block=True)[5000:], array[5000:])
    return found


def memory(rc: Any) -> dict[str, tuple[float, str]]:
    """What controller and scheduler hold after all that."""
    pids = [process.pid for process in psutil.Process().children(recursive=True)]
    services = [
        process
        for process in map(psutil.Process, pids)
        if {"controller", "scheduler"} & set(process.cmdline()) and "paraply" in process.cmdline()[0]
    ]
    assert len(services) == 2, "a controller and a scheduler"
    return {"memory of both services": (sum(service.memory_info().rss for service in services) / MIB, "MiB")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", type=int, default=4, metavar="N", help="engines to start (default: 4)")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    start, rc = started(options.engines)
    figures = {"start of the cluster, to a result of every engine": (start, "s")}
    try:
        for measure in (latencies, rates, bandwidths, memory):
            figures |= measure(rc)
    finally:
        rc.close()
        rc.cluster.stop_cluster_sync()
    print(f"paraply {paraply.__version__}, {options.engines} engines, {os.cpu_count()} cores")
    for what, (figure, unit) in figures.items():
        print(f"  {what:<52} {figure:>10,.{2 if unit == 's' else 0}f} {unit}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(
                {what: {"figure": figure, "unit": unit} for what, (figure, unit) in figures.items()}, file, indent=1
            )


if __name__ == "__main__":
    main()
