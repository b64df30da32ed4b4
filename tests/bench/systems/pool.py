"""`multiprocessing.Pool`: the standard library's, with no names and no fixed engine."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any

from bench.systems.system import System


class Pool(System):
    """Processes that take tasks from a pipe. A call is on whichever is free."""

    def start(self, engines: int) -> None:
        self.pool = multiprocessing.get_context("spawn").Pool(engines)
        self.pool.map(int, range(engines), chunksize=1)

    def stop(self) -> None:
        self.pool.terminate()
        self.pool.join()

    def call_one(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.pool.apply(function, arguments)

    def map_tasks(self, function: Callable[..., Any], values: Sequence[Any]) -> list[Any]:
        return self.pool.map(function, values, chunksize=1)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.pool.apply_async(function, arguments)

    def collect(self, submitted: list[Any]) -> list[Any]:
        return [result.get() for result in submitted]
