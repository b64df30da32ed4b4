"""Results that may not be here yet."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NoReturn

from paraply import error
from paraply.client._cancel import cancel
from paraply.client._explain import explain
from paraply.client._future import TasksFuture
from paraply.client._metadata import DEFAULTS, Metadata
from paraply.client._task import fetch_together
from paraply.client._timing import Timing

if TYPE_CHECKING:
    from paraply.client._task import Task
    from paraply.client.client import Client

_UNKNOWN: Any = object()
#: Seconds of a wait after which its time-out says why.
_EXPLAINED = 1.0


class AsyncResult(TasksFuture, Timing):
    """The results of one call: of a single task, or a list of the results of several.

    A `concurrent.futures.Future`. Metadata of its tasks are attributes and items: `ar.engine_id`, `ar["stdout"]`.

    Args:
        client: Whose tasks they are.
        tasks: In the order of the results.
        fname: What to call the function in errors and `repr`.
        targets: What the call was addressed to.
        single: There is one task, and its result is the value, not a list with it.
        owner: Accepted; results are kept as long as an AsyncResult is.
        return_exceptions: Failed tasks contribute their exceptions instead of raising.
    """

    __module__ = "paraply.client.asyncresult"

    #: Its value is made of the results of all its tasks, joined.
    _joins = False

    def __init__(
        self,
        client: Client,
        tasks: Sequence[Task],
        *,
        fname: str = "unknown",
        targets: Any = None,
        single: bool = False,
        owner: bool = True,
        return_exceptions: bool = False,
    ) -> None:
        super().__init__(tasks)
        self._client = client
        self._fname = fname
        self._targets = targets
        self._single = single
        self._return_exceptions = return_exceptions
        self._value: Any = _UNKNOWN
        self.owner = owner
        client._remember(self)

    def __repr__(self) -> str:
        state = "pending"
        if self.done():
            state = "failed" if any(task.failed() for task in self._tasks) else "finished"
        return f"<{type(self).__name__}({self._fname}): {state}>"

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *DEFAULTS})

    # The value.

    def get(
        self, timeout: float | None = None, return_exceptions: bool | None = None, return_when: str | None = None
    ) -> Any:
        """The value, waited for.

        Args:
            timeout: Seconds; None or negative for ever.
            return_exceptions: Give exceptions in place of results instead of raising them.
            return_when: FIRST_EXCEPTION raises as soon as one task has failed, unless exceptions are returned.

        Raises:
            TimeoutError: It is not here yet.
            RemoteError: The task raised. Of several tasks: a CompositeError.
        """
        if return_when == FIRST_COMPLETED:
            warnings.warn("get() gives all results: FIRST_COMPLETED is ignored", stacklevel=2)
            return_when = None
        if return_exceptions is None:
            return_exceptions = self._return_exceptions
        if not self._wait(timeout, first_failure=return_when == FIRST_EXCEPTION and not return_exceptions):
            raise self._not_ready(timeout)
        if self._value is not _UNKNOWN:
            return self._value
        if self._single:
            return self._single_value(return_exceptions)
        if not self.done():
            self._raise_failure()
        fetch_together(self._tasks, joined=self._joins)
        results = [_result_or_error(task) for task in self._tasks]
        failed = [result for result in results if isinstance(result, error.RemoteError)]
        if failed and not return_exceptions:
            error.collect_exceptions(failed, self._fname)
        value = self._join(results)
        if not failed:
            self._value = value
        return value

    def _not_ready(self, timeout: float | None) -> TimeoutError:
        """That it is not here, and why, unless it was only a short look."""
        if timeout is None or timeout < _EXPLAINED:
            return TimeoutError("Result not ready.")
        return TimeoutError(f"Result not ready. {self.explain()}")

    def explain(self) -> str:
        """Where the tasks that are not finished are, and why: of the first few, what the scheduler says of them."""
        return explain(self._tasks)

    def _raise_failure(self) -> NoReturn:
        """Raises what has gone wrong while some tasks are still to come."""
        failures = [_result_or_error(task) for task in self._tasks if task.failed()]
        error.collect_exceptions(failures, self._fname)
        raise failures[0]

    def _single_value(self, return_exceptions: bool) -> Any:
        if not return_exceptions:
            self._value = self._tasks[0].result()
            return self._value
        result = _result_or_error(self._tasks[0])
        return result

    def _join(self, results: list[Any]) -> Any:
        """The value, from the results of all tasks in order."""
        return results

    @property
    def r(self) -> Any:
        """The value, waited for."""
        return self.get()

    def result(self, timeout: float | None = None) -> Any:
        """The value, waited for: `get` under the name that futures have for it."""
        return self.get(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What `get` would raise, or None."""
        if not self._wait(timeout):
            raise self._not_ready(timeout)
        try:
            self.get()
        except Exception as failure:  # noqa: BLE001  # whatever it is
            return failure
        return None

    def get_dict(self, timeout: float = -1) -> dict[int, Any]:
        """The results of the tasks by the engine that each came from. Of a map, these are lists of items.

        Raises:
            ValueError: An engine had several of the tasks.
            TimeoutError, RemoteError: As `get`.
        """
        self.get(timeout)
        engines = [task.engine_id for task in self._tasks]
        for engine in engines:
            if engines.count(engine) > 1:
                raise ValueError(f"Cannot build dict, {engines.count(engine)} jobs ran on engine #{engine}")
        return {task.engine_id: _result_or_error(task) for task in self._tasks if task.engine_id is not None}

    @property
    def result_dict(self) -> dict[int, Any]:
        """`get_dict()`."""
        return self.get_dict()

    # Waiting.

    def wait(self, timeout: float | None = -1, return_when: str | None = None) -> Any:
        """Waits for the tasks, at most `timeout` seconds; negative or None is for ever.

        Returns:
            Whether all are done. With `return_when`, two sets of AsyncResults of one task each: done and pending.
        """
        if return_when is None:
            return self._wait(timeout)
        if return_when not in (ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION):
            raise ValueError(f"return_when is FIRST_COMPLETED, FIRST_EXCEPTION or ALL_COMPLETED, not {return_when!r}")
        from concurrent.futures import wait

        done, pending = wait(self.split(), None if timeout is None or timeout < 0 else timeout, return_when)
        return done, pending

    def ready(self) -> bool:
        """Whether all tasks are done."""
        return self.done()

    def successful(self) -> bool:
        """Whether all tasks have a result. Raises RuntimeError while they are not done."""
        if not self.done():
            raise RuntimeError("Result not ready: wait() first.")
        return not any(task.failed() for task in self._tasks)

    def wait_for_output(self, timeout: float | None = -1) -> bool:
        """Waits for all that the tasks write, which comes before their results."""
        return self._wait(timeout)

    def wait_interactive(
        self, interval: float = 0.1, timeout: float = -1, widget: bool | None = None, return_when: str = ALL_COMPLETED
    ) -> None:
        """Waits with a progress bar. Returns when the time is over too.

        Args:
            interval: Seconds between updates.
            timeout: Seconds; negative for ever.
            widget: A bar made of widgets; None: where there is a notebook.
            return_when: FIRST_EXCEPTION also ends the wait.
        """
        from paraply.client._progress import wait_with_bar

        first = return_when == FIRST_EXCEPTION
        wait_with_bar(
            lambda pause: self._wait(pause, first_failure=first),
            lambda: self.progress,
            total=len(self),
            description=self._fname,
            unit="tasks",
            interval=interval,
            timeout=timeout,
            widget=widget,
        )

    @property
    def progress(self) -> int:
        """How many tasks are done."""
        self.done()
        return self._done_up_to + sum(task.done() for task in self._unfinished())

    # What was sent.

    @property
    def sent(self) -> bool:
        """Whether buffers that were passed as arguments may be changed: this process does not need them any more."""
        return all(task.call.wait_sent(0) for task in self._tasks)

    def wait_for_send(self, timeout: float = -1) -> None:
        """Waits until `sent`. Raises TimeoutError."""
        for task in self._tasks:
            if not task.call.wait_sent(None if timeout < 0 else timeout):
                raise TimeoutError("Still being sent.")

    # As a list.

    def __len__(self) -> int:
        return len(self._tasks)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        if self._single:
            raise TypeError("AsyncResults with a single result are not iterable.")
        return self._iterate()

    def _iterate(self) -> Iterator[Any]:
        for task in self._tasks:
            yield task.result()

    def __getitem__(self, key: int | slice | str) -> Any:
        if isinstance(key, str):
            return self._metadata_of(key)
        if not isinstance(key, (int, slice)):
            raise TypeError(f"an index is an int, a slice or a metadata key, not {type(key).__name__}")
        self._check_ready()
        return self.get(0)[key]

    # Metadata.

    @property
    def metadata(self) -> Metadata | list[Metadata]:
        """What is known about the task, or about each."""
        found = [task.metadata for task in self._tasks]
        return found[0] if self._single else found

    @property
    def msg_ids(self) -> list[str]:
        """The names of the tasks."""
        return [task.msg_id for task in self._tasks]

    def _metadata_of(self, key: str) -> Any:
        if key not in DEFAULTS:
            raise KeyError(key)
        values = [task.metadata[key] for task in self._tasks]
        return values[0] if self._single else values

    def __getattr__(self, name: str) -> Any:
        if name not in DEFAULTS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self._metadata_of(name)

    # What else can be done.

    def abort(self) -> None:
        """Has tasks that have not started fail with `TaskAborted`. Raises RuntimeError if all are done."""
        if self.done():
            raise RuntimeError("Can't abort, I am already done!")
        self._client.abort(self)

    def cancel(self, kill_after: float | None = None) -> bool:
        """Stops the tasks: queued ones never start (`TaskAborted`), running ones are interrupted. Does not wait.

        An interrupted task fails with the `KeyboardInterrupt` that it got, as a `RemoteError`. One that does not stop,
        because it is deep in compiled code or catches the interrupt, runs on, and a line on standard error names it.

        Args:
            kill_after: Seconds after which the engine process of a task that has not stopped is ended, and with it
                what else the engine holds. Such a task fails with an `EngineError`.

        Returns:
            Whether there was anything left to cancel.

        Raises:
            ValueError: `kill_after` is negative.
        """
        return cancel(self._tasks, kill_after)

    def split(self) -> tuple[AsyncResult, ...]:
        """One AsyncResult for each task."""
        if len(self._tasks) == 1:
            return (self,)
        return tuple(
            AsyncResult(self._client, [task], fname=self._fname, targets=task.engine_id, single=self._splits_single)
            for task in self._tasks
        )

    _splits_single = True

    @classmethod
    def join(cls, *async_results: AsyncResult) -> AsyncResult:
        """One AsyncResult of the tasks of several. The inverse of `split`."""
        if not async_results:
            raise ValueError("Must specify at least one AsyncResult to join")
        first = async_results[0]
        tasks = [task for each in async_results for task in each._tasks]
        return AsyncResult(first._client, tasks, fname=first._fname, targets=None)

    def display_outputs(self, groupby: str = "type", result_only: bool = False) -> None:
        """Shows what the tasks wrote and displayed.

        Args:
            groupby: 'type': all stdout, then all stderr, then displays; 'engine': one engine after the other; 'order':
                the first display of each engine, then the second of each.
            result_only: Only the results of code.

        Raises:
            TimeoutError: They are not done.
        """
        if not self.done():
            raise TimeoutError("result not ready")
        self._show(groupby, result_only=result_only)

    def _show(self, groupby: str, *, streams: bool = True, result_only: bool = False) -> None:
        """`display_outputs`; without `streams`, what has not been shown by `stream_output`."""
        from paraply.client._display import display_outputs

        shown = [task.metadata for task in self._tasks]
        display_outputs(shown, groupby, result_only, single=self._single, streams=streams)

    def stream_output(self) -> AbstractContextManager[AsyncResult]:
        """A context in which what the tasks write is shown as it comes."""
        from paraply.client._stream import OutputStream

        return OutputStream(self)


def _result_or_error(task: Task) -> Any:
    try:
        return task.result()
    except (error.RemoteError, error.TaskAborted) as failure:
        return failure
