"""The results of a map: items in order, whatever tasks they came in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from paraply import error
from paraply.client._result import AsyncResult
from paraply.client._wait import Latch
from paraply.client.map import Parts

if TYPE_CHECKING:
    from paraply.client._task import Task
    from paraply.client.client import Client
    from paraply.client.map import Mapper


class AsyncMapResult(AsyncResult):
    """The results of a map. Iterating it gives items as soon as their task is done.

    Args:
        mapper: How many items each task has, and how they are put together.
        ordered: Iterate in the order of the input; else in the order in which tasks are done.
        return_exceptions: A failed task contributes its exception instead of raising it.
    """

    __module__ = "paraply.client.asyncresult"

    _splits_single = False

    def __init__(
        self,
        client: Client,
        tasks: Sequence[Task],
        mapper: Mapper,
        *,
        fname: str = "map",
        ordered: bool = True,
        return_exceptions: bool = False,
        targets: Any = None,
    ) -> None:
        super().__init__(client, tasks, fname=fname, targets=targets, return_exceptions=return_exceptions)
        self._mapper = mapper
        self._joins = isinstance(mapper, Parts)
        self._ordered = ordered

    def _join(self, results: list[Any]) -> Any:
        return self._mapper.join(results)

    def __len__(self) -> int:
        lengths = self._mapper.lengths
        return len(self._tasks) if lengths is None else sum(lengths)

    def __eq__(self, other: object) -> bool:
        # A map of nothing was an empty list in ipyparallel, and programs compare it with one.
        if isinstance(other, list):
            return not self._tasks and not other
        return self is other

    def __hash__(self) -> int:
        return id(self)

    @property
    def progress(self) -> int:
        """How many items are done."""
        lengths = self._mapper.lengths
        if lengths is None:
            return super().progress
        return sum(length for task, length in zip(self._tasks, lengths, strict=True) if task.done())

    def _iterate(self) -> Iterator[Any]:
        for task in self._tasks if self._ordered else self._as_completed():
            try:
                result = task.result()
            except error.RemoteError as failure:
                if not self._return_exceptions:
                    raise
                yield failure
            else:
                yield from self._mapper.items(result)

    def _as_completed(self) -> Iterator[Task]:
        done: SimpleQueue[Task] = SimpleQueue()
        for task in self._tasks:
            if not Latch(lambda task=task: done.put(task)).attach((task,)):  # type: ignore[misc]  # see `_settle`
                done.put(task)
        for _ in self._tasks:
            yield done.get()
