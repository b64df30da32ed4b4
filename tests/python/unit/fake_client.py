"""What tests of the client over a fake transport share."""

from __future__ import annotations

import time
from collections.abc import Callable

INFO = {"version": 1, "cluster_id": "c", "role": "client", "endpoints": [{"tcp": "127.0.0.1:1"}], "token": "t"}


def eventually(condition: Callable[[], object]) -> None:
    """Waits for what other threads bring about."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
