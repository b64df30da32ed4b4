"""A client that calls no-ops for some seconds: `python -m bench.load CONNECTION_FILE SECONDS`.

Half of the time one at a time, half of it many. It says that it begins, and how many there were.
"""

from __future__ import annotations

import sys
import time

import paraply

#: Tasks in a map.
BATCH = 1000


def nothing(*_: object) -> None:
    """A no-op."""


def main() -> None:
    connection_file, seconds = sys.argv[1], float(sys.argv[2])
    with paraply.Client(connection_file, timeout=60) as client:
        client.wait_for_engines(1, timeout=60)
        one, balanced = client[client.ids[0]], client.load_balanced_view()
        one.apply_sync(nothing)
        balanced.map_sync(nothing, range(BATCH))
        print("begins", flush=True)
        done = 0
        middle = time.monotonic() + seconds / 2
        while time.monotonic() < middle:
            one.apply_sync(nothing)
            done += 1
        while time.monotonic() < middle + seconds / 2:
            balanced.map_sync(nothing, range(BATCH))
            done += BATCH
        print(done, flush=True)


if __name__ == "__main__":
    main()
