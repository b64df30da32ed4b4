"""Another client, which works on while something happens to others."""

from __future__ import annotations

import os
import threading
import time
from types import TracebackType
from typing import Self

from home import eventually

import paraply

#: Seconds that one of its calls may take: far more than any does, on a machine that others use as well.
PATIENCE = 20.0


class Bystander:
    """Calls engines again and again, from a thread of its own. Each call has to be answered, and rightly.

    Args:
        engines: Those that nothing happens to.
        pause: Seconds between two calls.
        client: How it comes to its cluster; by default as any client does.
    """

    def __init__(self, engines: list[int], pause: float = 0.01, client: paraply.Client | None = None) -> None:
        self._client = client or paraply.Client()
        self._client.wait_for_engines(max(engines) + 1, timeout=30)
        self._view = self._client[engines]
        self._pids = self._view.apply_async(os.getpid).get(timeout=PATIENCE)
        self._pause = pause
        self._over = threading.Event()
        self._error: BaseException | None = None
        #: Seconds that each call took, in their order.
        self.took: list[float] = []
        self._thread = threading.Thread(target=self._work, name="bystander")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.goes_on()
        finally:
            self._over.set()
            self._thread.join()
            self._client.close()

    def goes_on(self, calls: int = 3) -> None:
        """Returns when so many more of its calls were made and answered."""
        # The one under way may have been made before what happened.
        goal = len(self.took) + calls + 1
        eventually(lambda: self._error or len(self.took) >= goal, "the other client's calls are answered")
        if self._error is not None:
            raise AssertionError("the other client is hindered") from self._error

    def _work(self) -> None:
        try:
            while not self._over.wait(self._pause):
                started = time.monotonic()
                assert self._view.apply_async(os.getpid).get(timeout=PATIENCE) == self._pids
                self.took.append(time.monotonic() - started)
        except BaseException as error:  # noqa: BLE001  # told by the test's thread
            self._error = error
