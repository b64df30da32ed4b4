"""Estimates pi by throwing darts, on all engines of a cluster that runs: `paraply start -n 4`.

With --native the engines are Rust: `cargo run -p paraply-engine --example native -- 4` starts four. The number is that of
the tasks. `clients/rust/examples/pi.rs` is the same program in Rust, and comes to the same pi.

Usage: pi.py [--native] [TASKS]
"""

import sys
import time

import paraply as ipp

DARTS = 1_000_000


def hits(seed, darts):
    """How many of so many darts hit the quarter of a circle."""
    import random

    draw = random.Random(seed).random
    return sum(draw() ** 2 + draw() ** 2 <= 1 for _ in range(darts))


def main():
    arguments = sys.argv[1:]
    native = arguments[:1] == ["--native"]
    tasks = int(arguments[native]) if len(arguments) > native else 64
    with ipp.Client() as rc:
        rc.wait_for_engines(1)
        function = ipp.native("hits") if native else hits
        darts = DARTS // tasks
        started = time.perf_counter()
        results = rc.load_balanced_view().map(function, range(tasks), [darts] * tasks, ordered=False)
        inside = sum(results)
        print(f"π is about {4 * inside / (tasks * darts)}")
        print(f"{tasks} tasks, {time.perf_counter() - started:.2f}s")


if __name__ == "__main__":
    main()
