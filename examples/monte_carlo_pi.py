"""Estimates pi by throwing points at a square, first here, then on four engines.

Usage: monte_carlo_pi.py [POINTS] [ENGINES]
"""

import math
import sys
import time

import paraply as ipp


def count_inside(points, seed):
    """How many of so many random points of the unit square lie in the quarter circle, and who counted."""
    import os
    import random

    draw = random.Random(seed).random
    inside = sum(draw() ** 2 + draw() ** 2 <= 1.0 for _ in range(points))
    return inside, os.getpid()


def main():
    points = int(sys.argv[1]) if len(sys.argv) > 1 else 8_000_000
    engines = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    tasks = 8 * engines
    shares = [points // tasks + (task < points % tasks) for task in range(tasks)]

    begun = time.perf_counter()
    inside = sum(count_inside(share, seed)[0] for seed, share in enumerate(shares))
    serial = time.perf_counter() - begun
    print(f"here:      pi is about {4 * inside / points:.6f}, in {serial:.2f} s")

    with ipp.Cluster(n=engines) as rc:
        balanced = rc.load_balanced_view()
        begun = time.perf_counter()
        results = balanced.map_async(count_inside, shares, range(tasks))
        results.wait_interactive()
        counts = results.get()
        parallel = time.perf_counter() - begun
        inside_there = sum(count for count, _ in counts)
        print(f"{engines} engines: pi is about {4 * inside_there / points:.6f}, in {parallel:.2f} s")
        print(
            f"           {serial / parallel:.1f} times as fast, off by {abs(4 * inside_there / points - math.pi):.6f}"
        )
        if inside_there != inside:
            sys.exit("the engines counted other points than this program: that is a bug")

        print("which engine did what:")
        for engine_id in rc.ids:
            mine = [task for task, by in enumerate(results.engine_id) if by == engine_id]
            pids = ", ".join(str(pid) for pid in {counts[task][1] for task in mine})
            print(
                f"  engine {engine_id}, pid {pids or '-'}: {len(mine)} tasks, {sum(shares[t] for t in mine):,} points"
            )


if __name__ == "__main__":
    main()
