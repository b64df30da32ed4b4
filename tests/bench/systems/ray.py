"""Ray: tasks for what may run anywhere, an actor for each engine that is named."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from bench.systems.system import System, descendants

#: Bytes of the object store: room for all that a run has at a time.
OBJECT_STORE = 2 << 30


def _nothing() -> None:
    """What makes Ray start its workers."""


class _Engine:
    """What an actor keeps."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    def push(self, name: str, value: Any) -> None:
        self.values[name] = value

    def pull(self, name: str) -> Any:
        return self.values[name]


class Ray(System):
    """A local Ray without its dashboard."""

    def start(self, engines: int) -> None:
        import ray

        self.ray = ray
        ray.init(
            num_cpus=engines,
            include_dashboard=False,
            logging_level=logging.ERROR,
            log_to_driver=False,
            object_store_memory=OBJECT_STORE,
        )
        self.tasks: dict[Callable[..., Any], Any] = {}
        # Actors take no processor of those that tasks run on.
        actor = ray.remote(num_cpus=0)(_Engine)
        self.engines = [actor.remote() for _ in range(engines)]
        self.collect([self.submit(_nothing) for _ in range(engines)])

    def stop(self) -> None:
        self.ray.shutdown()

    def call_one(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.ray.get(self.engines[0].call.remote(function, *arguments))

    def call_all(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.ray.get([engine.call.remote(function, *arguments) for engine in self.engines])

    def map_tasks(self, function: Callable[..., Any], values: Sequence[Any]) -> list[Any]:
        return self.collect([self.submit(function, value) for value in values])

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        task = self.tasks.get(function)
        if task is None:
            task = self.tasks[function] = self.ray.remote(num_cpus=1)(function)
        return task.remote(*arguments)

    def collect(self, submitted: list[Any]) -> list[Any]:
        return self.ray.get(submitted)

    def push(self, name: str, value: Any) -> None:
        self.ray.get(self.engines[0].push.remote(name, self.ray.put(value)))

    def pull(self, name: str) -> Any:
        return self.ray.get(self.engines[0].pull.remote(name))

    def push_all(self, name: str, value: Any) -> None:
        stored = self.ray.put(value)
        self.ray.get([engine.push.remote(name, stored) for engine in self.engines])

    def pull_all(self, name: str) -> list[Any]:
        return self.ray.get([engine.pull.remote(name) for engine in self.engines])

    def scatter(self, name: str, array: Any) -> None:
        import numpy

        parts = numpy.array_split(array, len(self.engines))
        self.ray.get([engine.push.remote(name, part) for engine, part in zip(self.engines, parts, strict=True)])

    def gather(self, name: str) -> Any:
        import numpy

        return numpy.concatenate(self.pull_all(name))

    def servers(self) -> list[psutil.Process]:
        # Its own monitor, log reader and agents are Python programs of these folders.
        return [
            process
            for process, line in descendants()
            if process.name() in ("gcs_server", "raylet") or any("ray/_private" in word for word in line)
        ]
