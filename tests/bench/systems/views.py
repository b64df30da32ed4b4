"""The calls that ipyparallel and Paraply have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from bench.systems.system import System


class Views(System):
    """A cluster, a client, and views on one engine, on all, and on whichever is free."""

    def start_with(self, package: ModuleType, engines: int, **options: Any) -> None:
        """Starts a cluster of the package's."""
        self.cluster = package.Cluster(n=engines, **options)
        self.client = self.cluster.start_and_connect_sync(activate=False)
        self.client.wait_for_engines(engines)
        self.all = self.client[:]
        self.one = self.client[self.client.ids[0]]
        self.balanced = self.client.load_balanced_view()

    def stop(self) -> None:
        try:
            self.client.close()
        finally:
            self.cluster.stop_cluster_sync()

    def call_one(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.one.apply_sync(function, *arguments)

    def call_all(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.all.apply_sync(function, *arguments)

    def map_tasks(self, function: Callable[..., Any], values: Sequence[Any]) -> list[Any]:
        result = self.balanced.map_async(function, values)
        assert len(set(result.msg_ids)) == len(values), "a task a value"
        return list(result.get())

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.balanced.apply_async(function, *arguments)

    def collect(self, submitted: list[Any]) -> list[Any]:
        return [result.get() for result in submitted]

    def push(self, name: str, value: Any) -> None:
        self.one.push({name: value}, block=True)

    def pull(self, name: str) -> Any:
        return self.one.pull(name, block=True)

    def push_all(self, name: str, value: Any) -> None:
        self.all.push({name: value}, block=True)

    def pull_all(self, name: str) -> list[Any]:
        return list(self.all.pull(name, block=True))

    def scatter(self, name: str, array: Any) -> None:
        self.all.scatter(name, array, block=True)

    def gather(self, name: str) -> Any:
        return self.all.gather(name, block=True)
