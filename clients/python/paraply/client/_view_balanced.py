"""The view on whichever engine is free."""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import TYPE_CHECKING, Any, ClassVar, Self, SupportsIndex

from paraply._serialize import Function, Payload, dump_arguments, dump_function
from paraply.client._call import CallSpec
from paraply.client._targets import engine_ids
from paraply.client._view_base import View, check_seconds
from paraply.client.asyncresult import AsyncMapResult, AsyncResult
from paraply.client.map import Chunks, Items, Mapper, Parts, bounds

if TYPE_CHECKING:
    from paraply.client._lazy_map import LazyMapIterator
    from paraply.client.client import Client


class LoadBalancedView(View):
    """A view whose tasks run on the next engine that is free, of all or of those in `targets` and with its `labels`.

    Args:
        retries: How often a task that failed, or whose engine was lost, is tried again.
        timeout: Seconds that a task may wait to be started; 0 or None for no limit.
        after, follow: Not built yet.
    """

    __module__ = "paraply.client.view"

    _flag_names: ClassVar[tuple[str, ...]] = (*View._flag_names, "follow", "after", "timeout", "retries")

    def __init__(
        self,
        client: Client,
        *,
        targets: Any = None,
        retries: int = 0,
        timeout: float | None = None,
        after: Any = None,
        follow: Any = None,
        **flags: Any,
    ) -> None:
        super().__init__(client, targets=targets, **flags)
        self.retries = 0
        self.timeout: float | None = None
        self.after: Any = None
        self.follow: Any = None
        self.set_flags(retries=retries, timeout=timeout, after=after, follow=follow)

    def set_flags(self, **flags: Any) -> Self:
        """Sets several flags at once. Returns the view."""
        _check_dependencies(flags.get("after"), flags.get("follow"))
        retries = flags.get("retries", 0)
        if isinstance(retries, bool) or not isinstance(retries, int):
            raise TypeError(f"retries is an int, not {type(retries).__name__}: {retries!r}")
        if retries < 0:
            raise ValueError(f"retries is 0 or more, not {retries}")
        check_seconds("timeout", flags.get("timeout"))
        return super().set_flags(**flags)

    # how calls are made

    def _spec(
        self, function: Function, arguments: list[Payload], label: str | None = None, *, verb: str = "apply"
    ) -> CallSpec:
        _check_dependencies(self.after, self.follow)
        restricted = self.targets is not None and self.targets != "all"
        labels = self.labels or {}
        if function.native:
            labels = {"runtime": "native", **labels}
        return CallSpec(
            work=function,
            arguments=arguments,
            direct=False,
            engine_ids=engine_ids(self.client, self.targets) if restricted else [],
            labels=tuple(labels.items()),
            name=function.name,
            verb=verb,
            label=(self.label if label is None else label) or "",
            retries=self.retries,
            queue_timeout=self.timeout or None,
            run_timeout=self.run_timeout or None,
        )

    def _apply(self, f: Any, args: tuple[Any, ...], kwargs: dict[str, Any], block: bool | None) -> Any:
        return self._finish(self._call(dump_function(f), self._dump(f, args, kwargs)), block)

    def _call(self, function: Function, arguments: Payload) -> AsyncResult:
        tasks = self._submit(self._spec(function, [arguments]))
        return AsyncResult(self.client, tasks, fname=function.name, targets=self.targets, single=True)

    # maps

    def map(
        self,
        f: Callable[..., Any],
        /,
        *sequences: Any,
        block: bool | None = None,
        chunksize: int = 1,
        ordered: bool = True,
        return_exceptions: bool = False,
        label: str | None = None,
    ) -> Any:
        """Calls `f` for each element: one task an element, or one for each `chunksize` of them.

        Unequal sequences are cut to the shortest. Without `ordered`, iteration gives results as they come.
        """
        assert sequences, "must have some sequences to map onto!"
        if isinstance(chunksize, bool) or not isinstance(chunksize, SupportsIndex) or index(chunksize) < 1:
            raise ValueError(f"chunksize is 1 or more, not {chunksize!r}")
        chunksize = index(chunksize)
        portable = self._is_portable(f)
        mapper: Mapper
        if chunksize == 1:
            function = dump_function(f)
            arguments = [dump_arguments(item, {}, portable=portable) for item in zip(*sequences, strict=False)]
            mapper = Items(len(arguments))
        else:
            function = dump_function(f, mapped=True)
            items = list(zip(*sequences, strict=False))
            cuts = bounds(len(items), -(-len(items) // chunksize)) if items else []
            chunks = [tuple(zip(*items[begin:end], strict=True)) for begin, end in cuts]
            arguments = [dump_arguments(chunk, {}, portable=portable) for chunk in chunks]
            mapper = Chunks([end - begin for begin, end in cuts])
        tasks = self._submit(self._spec(function, arguments, label, verb="map")) if arguments else []
        result = AsyncMapResult(
            self.client, tasks, mapper, fname=function.name, ordered=ordered, return_exceptions=return_exceptions
        )
        return self._finish(result, block)

    def imap(
        self,
        f: Callable[..., Any],
        /,
        *sequences: Any,
        ordered: bool = True,
        max_outstanding: int | str = "auto",
        return_exceptions: bool = False,
    ) -> LazyMapIterator:
        """A lazy map, also over endless sequences: elements are taken as results are read.

        Args:
            ordered: Results in the order of the input; without it, as they come.
            max_outstanding: Tasks under way at a time, and as many again may wait to be read; 'auto' for as many as there
                are engines, 0 for no limit at all.
            return_exceptions: Gives what failed in place of raising it.
        """
        from paraply.client._lazy_map import LazyMapIterator

        return LazyMapIterator(
            self, f, sequences, ordered=ordered, max_outstanding=max_outstanding, return_exceptions=return_exceptions
        )

    def _map_options(self, *, chunksize: int | None, ordered: bool) -> dict[str, Any]:
        return {"chunksize": 1 if chunksize is None else chunksize, "ordered": ordered}

    def _parallel_call(
        self, f: Any, sequences: list[Any], *, chunksize: int | None, ordered: bool, return_exceptions: bool
    ) -> AsyncMapResult:
        """Calls `f` with parts of the sequences, each of `chunksize` elements."""
        function = dump_function(f)
        length = len(sequences[0])
        cuts = bounds(length, -(-length // (chunksize or 1))) if length else []
        parts = [tuple([each[begin:end] for each in sequences]) for begin, end in cuts]
        arguments = [self._dump(f, part) for part in parts]
        tasks = self._submit(self._spec(function, arguments)) if arguments else []
        return AsyncMapResult(
            self.client,
            tasks,
            Parts(),
            fname=function.name,
            ordered=ordered,
            return_exceptions=return_exceptions,
        )

    def register_joblib_backend(self, name: str = "paraply", make_default: bool = False) -> None:
        """Not built."""
        raise NotImplementedError("the joblib backend is not built yet")


def _check_dependencies(after: Any, follow: Any) -> None:
    for name, tasks in (("after", after), ("follow", follow)):
        if tasks:
            raise NotImplementedError(f"dependencies between tasks ({name}=) are not built yet")
