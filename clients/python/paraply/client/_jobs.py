"""What users name tasks by: message ids, indexes into the history, AsyncResults, futures, and lists of them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, WeakValueDictionary

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
        #: Guards the set of results: other threads submit.
        self._lock = threading.Lock()
        self._changes = 0
        #: What is in it, by message id, once somebody has asked.
        self._found: WeakValueDictionary[str, Task] | None = None

    def remember(self, result: AsyncResult) -> None:
        """Keeps an AsyncResult findable for as long as somebody uses it."""
        with self._lock:
            self._results.add(result)
            self._changes += 1
            if self._found is not None:
                self._found.update((task.msg_id, task) for task in result._tasks)

    def forget(self, tasks: Iterable[Task]) -> None:
        """Makes these tasks, and AsyncResults with any of them, unfindable."""
        gone = set(tasks)
        with self._lock:
            for result in list(self._results):
                if not gone.isdisjoint(result._tasks):
                    self._results.discard(result)
            self._changes += 1
            self._found = None
        self._link.forget_recent(gone)

    def _in_use(self) -> list[AsyncResult]:
        with self._lock:
            return list(self._results)

    def known(self) -> dict[str, Task]:
        """Tasks of AsyncResults in use, by message id."""
        return {task.msg_id: task for result in self._in_use() for task in result._tasks}

    def _known(self, msg_id: str) -> Task | None:
        """A task of an AsyncResult in use. Many can be asked for one after the other."""
        found = self._found
        if found is None:
            with self._lock:
                changes, results = self._changes, list(self._results)
            found = WeakValueDictionary((task.msg_id, task) for result in results for task in result._tasks)
            with self._lock:
                if self._changes == changes:
                    self._found = found
        return found.get(msg_id)

    def unfinished_after_fork(self) -> list[Task]:
        """In a forked child: tasks that wait, whoever was to bring them."""
        self._lock = threading.Lock()
        return [task for task in self.known().values() if not task.done()]

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
        return self._known(msg_id) or self._link.recent_task(msg_id)

    def has_finished(self, msg_id: str) -> bool:
        """Whether it is a task of ours that is finished, whether or not its result is still here."""
        session, _, index = msg_id.rpartition("_")
        ours = session == self._link.session_hex and index.isdecimal() and int(index) < self._link.submitted
        return ours and self._link.pending_task(int(index)) is None

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
        task = self._jobs._known(msg_id)
        if task is None or not task.done():
            raise KeyError(msg_id)
        return task.exception() or task.result()

    def __repr__(self) -> str:
        return f"<Results: {len(self)} of tasks that are finished and in use>"

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
        task = self._jobs.find(msg_id)
        if task is None:
            raise KeyError(msg_id)
        return task.metadata

    def __repr__(self) -> str:
        return f"<Metadata of {len(self)} tasks>"

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks())

    def __len__(self) -> int:
        return len(self._tasks())
