"""The tasks of a client, by the names that users have for them."""

from __future__ import annotations

import time
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any, cast

from paraply._proto.scheduler.v1 import session_pb2, task_pb2
from paraply.client._client_cluster import ClusterCalls
from paraply.client._explain import task_id_of
from paraply.client._hubresult import AsyncHubResult
from paraply.client._jobs import AllMetadata, Jobs, Results
from paraply.client._result import AsyncResult
from paraply.client._submit import submit
from paraply.client._targets import engine_ids
from paraply.client._wait import wait_for

if TYPE_CHECKING:
    from paraply.client._call import CallSpec
    from paraply.client._task import Task
    from paraply.client.client import Client


class JobCalls(ClusterCalls):
    """What a client does with tasks."""

    block: bool
    _jobs: Jobs

    def _client(self) -> Client:
        return cast("Client", self)

    def _submit(self, spec: CallSpec) -> list[Task]:
        """Submits a call for a view. Returns its tasks, one a result, in order."""
        return submit(self._link, spec)

    def _remember(self, result: AsyncResult) -> None:
        self._jobs.remember(result)

    @property
    def history(self) -> list[str]:
        """Message ids of all tasks that this client has submitted, in order."""
        return self._jobs.msg_ids()

    @property
    def outstanding(self) -> set[str]:
        """Message ids of those that are not finished."""
        return {self._jobs.msg_id(index) for index in self._link.outstanding()}

    @property
    def results(self) -> Results:
        """Results by message id, while an AsyncResult has them."""
        return Results(self._jobs)

    @property
    def metadata(self) -> AllMetadata:
        """Metadata by message id, while an AsyncResult has them or the task is not finished."""
        return AllMetadata(self._jobs)

    def wait(self, jobs: Any = None, timeout: float | None = -1) -> bool:
        """Waits for jobs: by default for all that are outstanding.

        Args:
            jobs: Message ids, indexes into `history`, AsyncResults, any futures, or a list of them.
            timeout: Seconds; negative or None for ever.

        Returns:
            Whether they are done.
        """
        tasks, futures = (self._jobs.outstanding(), []) if jobs is None else self._jobs.split(jobs)
        limit = None if timeout is None or timeout < 0 else timeout
        started = time.monotonic()
        if not wait_for(tasks, limit):
            return False
        if limit is not None:
            limit = max(limit - (time.monotonic() - started), 0)
        return not wait(futures, limit).not_done

    def wait_interactive(
        self, jobs: Any = None, interval: float = 1.0, timeout: float = -1.0, widget: bool | None = None
    ) -> None:
        """`wait` with a progress bar."""
        tasks, futures = (self._jobs.outstanding(), []) if jobs is None else self._jobs.split(jobs)
        AsyncResult(self._client(), tasks, fname="tasks").wait_interactive(interval, timeout, widget)
        wait(futures)

    def get_result(self, indices_or_msg_ids: Any = None, block: bool | None = None, owner: bool = True) -> Any:
        """The AsyncResult of tasks submitted before, by this or another client.

        Args:
            indices_or_msg_ids: Message ids, indexes into `history`, AsyncResults, or a list of them. None: the last task.
            block: Return the value instead; by default as `rc.block` says.

        Raises:
            NotImplementedError: It is finished, and nobody here has its result any more; or it is another client's.
        """
        jobs = -1 if indices_or_msg_ids is None else indices_or_msg_ids
        names = self._jobs.names(jobs)
        single = isinstance(jobs, (int, str)) or (hasattr(jobs, "msg_ids") and len(names) == 1)
        found = [self._jobs.find(name) for name in names]
        tasks = [task for task in found if task is not None]
        result: AsyncResult
        if len(tasks) == len(found):
            result = AsyncResult(self._client(), tasks, fname="get_result", single=single, owner=owner)
        else:
            result = AsyncHubResult(self._client(), names, single=single)
        return result.get() if (self.block if block is None else block) else result

    def result_status(self, msg_ids: Any, status_only: bool = True) -> dict[str, Any]:
        """Which of some tasks are `pending` and which `completed`.

        Args:
            msg_ids: Message ids, indexes into `history`, AsyncResults, or a list of them.
            status_only: Without it, also the results of completed tasks, by message id.

        Raises:
            NotImplementedError: A task is another client's, or its result is wanted and nobody has it any more.
            RemoteError: A result is wanted, and the task has failed.
        """
        tasks = {name: self._jobs.find(name) for name in self._jobs.names(msg_ids)}
        forgotten = [name for name, task in tasks.items() if task is None]
        if forgotten and not (status_only and all(map(self._jobs.has_finished, forgotten))):
            tasks.update(zip(forgotten, AsyncHubResult(self._client(), forgotten)._tasks, strict=True))
        completed = [name for name, task in tasks.items() if task is None or task.done()]
        status: dict[str, Any] = {
            "pending": [name for name, task in tasks.items() if task is not None and not task.done()],
            "completed": completed,
        }
        if not status_only:
            status.update((name, self.get_result(name, block=True)) for name in completed)
        return status

    def abort(self, jobs: Any = None, targets: Any = None, block: bool | None = None) -> None:
        """Has tasks that have not started fail with `TaskAborted`. Those that run, run on. Does not wait.

        Args:
            jobs: Message ids, AsyncResults or a list of them; None: all that are outstanding.
            targets: Only those of them that are addressed to these engines, or have been given to one of these.

        Raises:
            TypeError: `jobs` are none.
            IndexError: There is no such engine.
        """
        if isinstance(jobs, int):
            raise TypeError(f"jobs are message ids, AsyncResults, or lists of them, not {jobs!r}")
        if jobs is None:
            indexes = self._link.outstanding()
        else:
            mine = f"{self._link.session_hex}_"
            indexes = [int(name.removeprefix(mine)) for name in self._jobs.names(jobs) if name.startswith(mine)]
        if targets is not None and targets != "all":
            engines = set(engine_ids(self, targets))
            tasks = [self._link.pending_task(index) for index in indexes]
            indexes = [task.index for task in tasks if task is not None and task.engine_id in engines]
        self._link.cancel(indexes, session_pb2.CANCEL_MODE_ABORT)

    def purge_local_results(self, jobs: Any = (), targets: Any = ()) -> None:
        """Forgets finished tasks at this end: `get_result` does not find them any more.

        Args:
            jobs: Message ids, AsyncResults, a list of them, or 'all'.
            targets: Engines whose tasks are meant.

        Raises:
            RuntimeError: One of them is not finished.
            ValueError: Nothing is named.
        """
        known = self._jobs.known()
        if isinstance(jobs, str) and jobs == "all":
            tasks = [*known.values(), *self._jobs.outstanding()]
        else:
            engines = engine_ids(self, targets) if targets not in ((), [], None) else []
            tasks = [task for task in known.values() if task.engine_id in engines]
            tasks += self._jobs.split(jobs)[0]
            if not engines and jobs in ((), [], None):
                raise ValueError("Must specify at least one of `targets` and `jobs`")
        unfinished = [task.msg_id for task in tasks if not task.done()]
        if unfinished:
            raise RuntimeError(f"Can't purge outstanding tasks: {unfinished}")
        self._jobs.forget(tasks)

    def purge_hub_results(self, jobs: Any = (), targets: Any = ()) -> None:
        """Has the scheduler forget finished tasks."""
        if targets not in ((), [], None):
            raise NotImplementedError("purging by engine is not built yet: name the jobs")
        names = self.history if isinstance(jobs, str) and jobs == "all" else self._jobs.names(jobs)
        ids = [task_id_of(name) for name in names]
        self._call(
            "paraply.scheduler.v1.TaskService/PurgeTasks",
            task_pb2.PurgeTasksRequest(task_ids=ids),
            task_pb2.PurgeTasksResponse,
        )

    def purge_results(self, jobs: Any = (), targets: Any = ()) -> None:
        """`purge_hub_results`, then `purge_local_results`, which loses nothing where the first cannot be done."""
        self.purge_hub_results(jobs, targets)
        self.purge_local_results(jobs, targets)
