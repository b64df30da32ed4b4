"""What users name tasks by: message ids, indexes into the history, AsyncResults, futures, and lists of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from paraply.client._task import Task

if TYPE_CHECKING:
    from paraply._link import Link
    from paraply.client._metadata import Metadata
    from paraply.client.asyncresult import AsyncResult


class Jobs:
    """The tasks of one client that can still be asked for: those not finished, and those of AsyncResults in use."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._results: WeakSet[AsyncResult] = WeakSet()

    def remember(self, result: AsyncResult) -> None:
        """Keeps an AsyncResult findable for as long as somebody uses it."""
        self._results.add(result)

    def forget(self, tasks: Iterable[Task]) -> None:
        """Makes AsyncResults with any of these tasks unfindable."""
        gone = set(tasks)
        for result in list(self._results):
            if not gone.isdisjoint(result._tasks):
                self._results.discard(result)

    def known(self) -> dict[str, Task]:
        """Tasks of AsyncResults in use, by message id."""
        return {task.msg_id: task for result in list(self._results) for task in result._tasks}

    def msg_ids(self) -> list[str]:
        """All that was submitted, in order."""
        return [self.msg_id(index) for index in range(self._link.submitted)]

    def msg_id(self, index: int) -> str:
        """The name of a task."""
        return f"{self._link.session_hex}_{index}"

    def outstanding(self) -> list[Task]:
        """Tasks that are not finished, in order."""
        found = (self._link.pending_task(index) for index in self._link.outstanding())
        return [task for task in found if task is not None]

    def find(self, msg_id: str) -> Task | None:
        """The task of a name, if it is ours and can still be asked for."""
        session, _, index = msg_id.rpartition("_")
        if session == self._link.session_hex and index.isdecimal():
            pending = self._link.pending_task(int(index))
            if pending is not None:
                return pending
        return self.known().get(msg_id)

    def names(self, jobs: Any) -> list[str]:
        """The message ids that `jobs` names. Raises TypeError or IndexError."""
        return list(self._names(jobs))

    def _names(self, jobs: Any) -> Iterator[str]:
        if isinstance(jobs, str):
            yield jobs
        elif isinstance(jobs, int):
            count = self._link.submitted
            if not -count <= jobs < count:
                raise IndexError(f"no job {jobs}: {count} were submitted")
            yield self.msg_id(jobs % count)
        elif isinstance(jobs, Task):
            yield jobs.msg_id
        elif hasattr(jobs, "msg_ids"):
            yield from jobs.msg_ids
        elif isinstance(jobs, Iterable):
            for job in jobs:
                yield from self._names(job)
        else:
            raise TypeError(
                f"jobs are message ids, indexes into the history, AsyncResults, or lists of them, not {jobs!r}"
            )

    def split(self, jobs: Any) -> tuple[list[Task], list[Future[Any]]]:
        """The tasks, and the futures that are not tasks of ours, that `jobs` names. What is finished and forgotten is
        left out.
        """
        if isinstance(jobs, Future) and not hasattr(jobs, "msg_ids"):
            return [], [jobs]
        if hasattr(jobs, "_tasks"):
            return list(jobs._tasks), []
        if isinstance(jobs, Iterable) and not isinstance(jobs, str):
            tasks: list[Task] = []
            futures: list[Future[Any]] = []
            for job in jobs:
                more_tasks, more_futures = self.split(job)
                tasks += more_tasks
                futures += more_futures
            return tasks, futures
        found = (self.find(name) for name in self._names(jobs))
        return [task for task in found if task is not None], []


class Results(Mapping[str, Any]):
    """Results by message id, of the tasks that are finished and still in use."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def _tasks(self) -> dict[str, Task]:
        return {msg_id: task for msg_id, task in self._jobs.known().items() if task.done()}

    def __getitem__(self, msg_id: str) -> Any:
        task = self._tasks()[msg_id]
        return task.exception() or task.result()

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks())

    def __len__(self) -> int:
        return len(self._tasks())


class AllMetadata(Mapping[str, "Metadata"]):
    """Metadata by message id, of the tasks that are not finished or still in use."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def _tasks(self) -> dict[str, Task]:
        return self._jobs.known() | {task.msg_id: task for task in self._jobs.outstanding()}

    def __getitem__(self, msg_id: str) -> Metadata:
        return self._tasks()[msg_id].metadata

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks())

    def __len__(self) -> int:
        return len(self._tasks())
