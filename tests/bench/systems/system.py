"""What a workload may ask of a system."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psutil


class System:
    """One way to run Python in parallel on this machine.

    A verb that a system does not have raises NotImplementedError, and the workloads that need it have no figure. "One"
    is a fixed engine, the same each time; "all" is every engine.
    """

    def start(self, engines: int) -> None:
        """Starts it, until its engines can be called."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ends all that `start` has started."""
        raise NotImplementedError

    def call_one(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function on one engine and waits."""
        raise NotImplementedError

    def call_all(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function on every engine and waits."""
        raise NotImplementedError

    def map_tasks(self, function: Callable[..., Any], values: Sequence[Any]) -> list[Any]:
        """A task for each value, on whichever engine is free; their results."""
        raise NotImplementedError

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """A task, on whichever engine is free. What `collect` takes."""
        raise NotImplementedError

    def collect(self, submitted: list[Any]) -> list[Any]:
        """The results of tasks."""
        raise NotImplementedError

    def push(self, name: str, value: Any) -> None:
        """Gives one engine a value by name, and waits until it has it."""
        raise NotImplementedError

    def pull(self, name: str) -> Any:
        """A value that one engine was given."""
        raise NotImplementedError

    def push_all(self, name: str, value: Any) -> None:
        """Gives every engine a value by name, and waits until they have it."""
        raise NotImplementedError

    def pull_all(self, name: str) -> list[Any]:
        """The value that every engine was given, as each has it."""
        raise NotImplementedError

    def scatter(self, name: str, array: Any) -> None:
        """Gives each engine a part of an array, and waits until they have them."""
        raise NotImplementedError

    def gather(self, name: str) -> Any:
        """The array whose parts the engines have."""
        raise NotImplementedError

    def servers(self) -> list[psutil.Process]:
        """The processes between client and engines."""
        raise NotImplementedError


def descendants() -> list[tuple[psutil.Process, list[str]]]:
    """The processes that this one has started, and those that they have, each with its command line."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            found.append((process, process.cmdline()))
        except psutil.Error:
            continue  # it has ended
    return found
