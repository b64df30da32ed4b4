"""What all views have: engines to address, flags, a history, and `apply` in its three forms."""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self

from paraply import error
from paraply._serialize import NativeFunction, Payload, dump_arguments
from paraply.client._history import History
from paraply.client._labels import carriers, check_labels
from paraply.client._targets import engine_ids

if TYPE_CHECKING:
    from paraply.client._call import CallSpec, Task
    from paraply.client.asyncresult import AsyncMapResult, AsyncResult
    from paraply.client.client import Client
    from paraply.client.remotefunction import ParallelFunction, RemoteFunction
    from paraply.client.view import ViewExecutor

_REPR_CHARACTERS = 16


class View:
    """A handle on some engines of a client. Make one by `client[...]`, `client.direct_view()` and the like.

    Args:
        client: The connection.
        targets: Engine id, list of ids, `'all'` (asked for at each call) or None.
        block: Whether calls wait for their results.
        track: Accepted; whether sent buffers may be edited is in `AsyncResult.sent` always.
        label: Kept with every task, for queries.
        labels: Only engines that carry each of these labels with this value; None for any. A load-balanced view's tasks wait
            until there is such an engine; for a direct view they are looked for at each call.
        run_timeout: Seconds that a task may run: then it is interrupted, and fails with `TaskTimeout`. 0 or None for no
            limit.
        portable: Arguments and results travel as what every language reads, so that engines in other languages can be
            called: what has no such form raises `NotPortableError`. Tuples arrive as lists.
    """

    __module__ = "paraply.client.view"

    _flag_names: ClassVar[tuple[str, ...]] = ("targets", "block", "track", "label", "run_timeout", "labels", "portable")

    def __init__(
        self,
        client: Client,
        *,
        targets: Any = None,
        block: bool | None = None,
        track: bool = False,
        label: str | None = None,
        run_timeout: float | None = None,
        labels: Mapping[str, str] | None = None,
        portable: bool = False,
    ) -> None:
        check_seconds("run_timeout", run_timeout)
        self.client = client
        self.targets: Any = targets
        self.block: bool = client.block if block is None else block
        self.track = track
        self.label = label
        self.run_timeout = run_timeout
        self.labels: dict[str, str] | None = check_labels(labels)
        self.portable = portable
        self._history = History()

    def __repr__(self) -> str:
        text = str(self.targets)
        if len(text) > _REPR_CHARACTERS:
            text = f"{text[:12]}...]"
        return f"<{type(self).__name__} {text}{_labels_text(self.labels)}>"

    def __len__(self) -> int:
        if self.labels:
            try:
                return len(self._engines(self.targets))
            except error.NoEnginesRegistered:
                return 0
        if isinstance(self.targets, int):
            return 1
        return len(self.client) if self.targets is None or isinstance(self.targets, str) else len(self.targets)

    def __bool__(self) -> bool:
        return True

    # flags

    def set_flags(self, **flags: Any) -> Self:
        """Sets several flags at once. Returns the view.

        Raises:
            KeyError: There is no such flag.
            TypeError, ValueError: It does not take such a value.
        """
        check_seconds("run_timeout", flags.get("run_timeout"))
        for name in flags:
            if name not in self._flag_names:
                raise KeyError(f"{type(self).__name__} has no flag {name!r}: it has {', '.join(self._flag_names)}")
        if "labels" in flags:
            flags["labels"] = check_labels(flags["labels"])
        for name, value in flags.items():
            setattr(self, name, value)
        return self

    @contextmanager
    def temp_flags(self, **flags: Any) -> Iterator[None]:
        """Flags for the length of a `with` block."""
        before = {name: getattr(self, name) for name in self._flag_names}
        try:
            self.set_flags(**flags)
            yield
        finally:
            for name, value in before.items():
                setattr(self, name, value)

    def _with_flags(self, **flags: Any) -> Self:
        """This view with other flags, for one call: what is sent through it is in this one's history."""
        view = copy.copy(self)
        return view.set_flags(**flags)

    # what has been sent

    @property
    def history(self) -> list[str]:
        """Message ids of all tasks sent through this view, oldest first."""
        return self._history.msg_ids()

    @property
    def outstanding(self) -> set[str]:
        """Message ids of its tasks that have no result yet."""
        return {msg_id for msg_id in self.client.outstanding if msg_id in self._history}

    @property
    def results(self) -> Any:
        """The client's results, by message id."""
        return self.client.results

    def _submit(self, spec: CallSpec) -> list[Task]:
        tasks = self.client._submit(spec)
        self._history.add(tasks)
        return tasks

    def _engines(self, targets: Any) -> list[int]:
        ids = engine_ids(self.client, targets)
        return carriers(self.client._link.engines, ids, self.labels) if self.labels else ids

    def _finish(self, result: AsyncResult, block: bool | None, *, waits: bool = False) -> Any:
        """The value where the call blocks, else the AsyncResult.

        Ctrl-C at a prompt gives the AsyncResult too, since the tasks go on; in a program it ends the program.
        """
        if not (self.block if block is None else block):
            return result
        try:
            value = result.get()
            if waits:
                result.wait_for_output()
                return result
        except KeyboardInterrupt:
            if not is_interactive():
                raise
            return result
        return value

    # calls

    def _is_portable(self, f: Any) -> bool:
        """Whether what a call of `f` takes and gives has to be what every language reads."""
        return self.portable or isinstance(f, NativeFunction)

    def _dump(self, f: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> Payload:
        """The arguments of one call of `f`, as they are to travel."""
        return dump_arguments(args, kwargs or {}, portable=self._is_portable(f))

    def _apply(self, f: Any, args: tuple[Any, ...], kwargs: dict[str, Any], block: bool | None) -> Any:
        raise NotImplementedError(f"{type(self).__name__} is no view to call functions with")

    def apply(self, f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Calls `f(*args, **kwargs)` on the engines: the result if `block`, else an AsyncResult."""
        return self._apply(f, args, kwargs, None)

    def apply_async(self, f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """`apply` that returns an AsyncResult at once."""
        return self._apply(f, args, kwargs, False)

    def apply_sync(self, f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """`apply` that waits for the result."""
        return self._apply(f, args, kwargs, True)

    def map(self, f: Callable[..., Any], /, *sequences: Any, **options: Any) -> Any:
        """Calls `f` for each element of the sequences."""
        raise NotImplementedError(f"{type(self).__name__} is no view to map with")

    def imap(self, f: Callable[..., Any], /, *sequences: Any, **options: Any) -> Iterator[Any]:
        """An iterator over the results of a map."""
        return iter(self.map_async(f, *sequences, **options))

    def _parallel_call(
        self, f: Any, sequences: list[Any], *, chunksize: int | None, ordered: bool, return_exceptions: bool
    ) -> AsyncMapResult:
        raise NotImplementedError(f"{type(self).__name__} is no view to call parallel functions with")

    def _map_options(self, *, chunksize: int | None, ordered: bool) -> dict[str, Any]:
        """Options of `map` that not all views have."""
        raise NotImplementedError

    def map_async(self, f: Callable[..., Any], /, *sequences: Any, **options: Any) -> Any:
        """`map` that returns an AsyncMapResult at once."""
        if "block" in options:
            raise TypeError("map_async takes no `block`: it never waits. Use map")
        return self.map(f, *sequences, block=False, **options)

    def map_sync(self, f: Callable[..., Any], /, *sequences: Any, **options: Any) -> Any:
        """`map` that waits for all results."""
        if "block" in options:
            raise TypeError("map_sync takes no `block`: it always waits. Use map")
        return self.map(f, *sequences, block=True, **options)

    # decorators

    def remote(self, block: bool | None = None, **flags: Any) -> Callable[[Any], RemoteFunction]:
        """Decorator: a call of the function runs on the view's engines. `block` is the view's as it is now."""
        from paraply.client.remotefunction import remote

        return remote(self, block=self.block if block is None else block, **flags)

    def parallel(self, dist: str = "b", block: bool | None = None, **flags: Any) -> Callable[[Any], ParallelFunction]:
        """Decorator: a call gives each engine a part of the sequences. `block` is the view's as it is now."""
        from paraply.client.remotefunction import parallel

        return parallel(self, dist=dist, block=self.block if block is None else block, **flags)

    @property
    def executor(self) -> ViewExecutor:
        """A `concurrent.futures.Executor` over this view."""
        from paraply.client.view import ViewExecutor

        return ViewExecutor(self)

    # what the client does for the view

    def wait(self, jobs: Any = None, timeout: float = -1) -> bool:
        """Waits for jobs, by default for all that were sent through this view. Returns whether they are done."""
        return bool(self.client.wait(list(self.outstanding) if jobs is None else jobs, timeout=timeout))

    def abort(self, jobs: Any = None, targets: Any = None, block: bool | None = None) -> Any:
        """Aborts jobs that have not started, by default all that were sent through this view."""
        return self.client.abort(
            jobs=list(self.outstanding) if jobs is None else jobs,
            targets=targets,
            block=self.block if block is None else block,
        )

    def get_result(self, indices_or_msg_ids: Any = None, block: bool | None = None, owner: bool = False) -> Any:
        """The AsyncResult of something sent before. Indices are into this view's history; None is the last."""
        return self.client.get_result(
            self._msg_ids(-1 if indices_or_msg_ids is None else indices_or_msg_ids), block=block, owner=owner
        )

    def _msg_ids(self, wanted: Any) -> Any:
        if isinstance(wanted, slice):
            return self.history[wanted]
        if isinstance(wanted, (list, tuple)):
            return [self._msg_ids(each) for each in wanted]
        return self.history[wanted] if isinstance(wanted, int) else wanted

    def queue_status(self, targets: Any = None, verbose: bool = False) -> Any:
        """How much each engine has to do."""
        return self.client.queue_status(self.targets if targets is None else targets, verbose)

    def purge_results(self, jobs: Any = (), targets: Any = ()) -> Any:
        """Forgets results."""
        return self.client.purge_results(jobs=jobs, targets=self.targets if targets is None else targets)

    def shutdown(self, targets: Any = None, restart: bool = False, hub: bool = False, block: bool | None = None) -> Any:
        """Stops engines."""
        return self.client.shutdown(
            self.targets if targets is None else targets,
            restart=restart,
            hub=hub,
            block=self.block if block is None else block,
        )

    def spin(self) -> None:
        """Nothing: results arrive by themselves."""
        warnings.warn("spin() does nothing: results arrive by themselves", DeprecationWarning, stacklevel=2)


def _labels_text(labels: Mapping[str, str] | None) -> str:
    return "".join(f" {key}={value}" for key, value in (labels or {}).items())


def check_seconds(flag: str, value: Any) -> None:
    """Raises TypeError or ValueError if a flag is no time in seconds."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{flag} is a number of seconds, not {type(value).__name__}: {value!r}")
    if value < 0:
        raise ValueError(f"{flag} is 0 or more seconds, not {value}")


def is_interactive() -> bool:
    """Whether a person is at a prompt: Python's own, or IPython's in a terminal or a notebook."""
    if hasattr(sys, "ps1"):
        return True
    shell = sys.modules.get("IPython")
    return shell is not None and shell.get_ipython() is not None
