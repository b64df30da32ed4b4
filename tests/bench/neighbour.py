"""A client that keeps the engines of a cluster busy: `python -m bench.neighbour CONNECTION_FILE`.

It says that it is ready when a first batch is done, and submits one after the other until its standard input ends.
"""

from __future__ import annotations

import select
import sys

import paraply

#: Tasks in a batch.
BATCH = 1000


def nothing(_: object) -> None:
    """A no-op."""


def main() -> None:
    with paraply.Client(sys.argv[1]) as client:
        view = client.load_balanced_view()
        view.map_sync(nothing, range(BATCH))
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], 0)[0]:
            view.map_sync(nothing, range(BATCH))


if __name__ == "__main__":
    main()
