"""Dask's distributed scheduler, with a process an engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psutil

from bench.systems.system import System


class Dask(System):
    """A local cluster without its dashboard. Its scheduler is a thread of the client's process."""

    def start(self, engines: int) -> None:
        import dask
        import distributed

        dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"})
        self.wait = distributed.wait
        self.cluster = distributed.LocalCluster(
            n_workers=engines, threads_per_worker=1, processes=True, dashboard_address=None
        )
        self.client = distributed.Client(self.cluster)
        self.client.wait_for_workers(engines)
        self.workers = list(self.client.scheduler_info(n_workers=-1)["workers"])
        self.values: dict[str, Any] = {}

    def stop(self) -> None:
        self.client.close()
        self.cluster.close()

    def call_one(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.client.submit(function, *arguments, workers=self.workers[:1], pure=False).result()

    def call_all(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return list(self.client.run(function, *arguments).values())

    def map_tasks(self, function: Callable[..., Any], values: Sequence[Any]) -> list[Any]:
        return self.client.gather(self.client.map(function, list(values), pure=False))

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.client.submit(function, *arguments, pure=False)

    def collect(self, submitted: list[Any]) -> list[Any]:
        return self.client.gather(submitted)

    def push(self, name: str, value: Any) -> None:
        self.values[name] = self._put(value, workers=self.workers[:1])

    def pull(self, name: str) -> Any:
        return self.client.gather(self.values[name], direct=True)

    def push_all(self, name: str, value: Any) -> None:
        self.values[name] = self._put(value, broadcast=True)

    def pull_all(self, name: str) -> list[Any]:
        value = self.values[name]
        (holders,) = self.client.who_has([value]).values()
        # It says who has the value, and gives it from one of them.
        return [self.pull(name)] * len(holders)

    def scatter(self, name: str, array: Any) -> None:
        import numpy

        parts = numpy.array_split(array, len(self.workers))
        placed = zip(parts, self.workers, strict=True)
        self.values[name] = [
            self.client.scatter(part, workers=[worker], hash=False, direct=True) for part, worker in placed
        ]
        self.wait(self.values[name])

    def gather(self, name: str) -> Any:
        import numpy

        return numpy.concatenate(self.pull(name))

    def _put(self, value: Any, **where: Any) -> Any:
        put = self.client.scatter(value, hash=False, direct=True, **where)
        self.wait(put)
        return put

    def servers(self) -> list[psutil.Process]:
        raise NotImplementedError
