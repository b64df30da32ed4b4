"""How long the same work takes here, on one engine, on all of them at once, and balanced over them."""

import os
import time

import paraply as ipp


def longrun(n):
    """Counts the primes below n, slowly."""
    return sum(all(number % divisor for divisor in range(2, int(number**0.5) + 1)) for number in range(2, n))


def timed(what, call):
    """Prints how long a call took, and returns its result."""
    begun = time.perf_counter()
    result = call()
    print(f"{what:<34} {(time.perf_counter() - begun) * 1e3:8.1f} ms")
    return result


def main():
    with ipp.Cluster(n=4) as rc:
        print("engines", rc.ids, "are the processes", rc[:].apply_sync(os.getpid))
        timed("nothing, on one engine", lambda: rc[2].apply_sync(os.getpid))
        here = timed("longrun(100000) here", lambda: longrun(100_000))
        there = timed("longrun(100000) on engine 2", lambda: rc[2].apply_sync(longrun, 100_000))
        everywhere = timed("longrun(100000) on each engine", lambda: rc[:].apply_sync(longrun, 100_000))
        assert [here, *everywhere] == [there] * 5

        sizes = [100_000, 50_000, 100_000, 20_000, 40_000, 80_000]
        balanced = rc.load_balanced_view()
        assert timed("six sizes, balanced", lambda: balanced.map_sync(longrun, sizes)) == timed(
            "six sizes here", lambda: list(map(longrun, sizes))
        )


if __name__ == "__main__":
    main()
