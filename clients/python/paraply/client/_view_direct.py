"""The view on engines by their ids: calls, data and code go to each of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paraply import _ops
from paraply._serialize import Function, Payload, dump_function
from paraply.client._call import CallSpec, Execute
from paraply.client._imports import sync_imports
from paraply.client._view_base import View
from paraply.client.asyncresult import AsyncMapResult, AsyncResult
from paraply.client.map import Chunks, Map, Mapper, Parts, bounds, sliceable

if TYPE_CHECKING:
    from os import PathLike

    from paraply.client.client import Client


class DirectView(View):
    """A view on certain engines. Its calls run on all of them, in the order in which they were made.

    With one engine id as `targets` a call has one result, with a list or `'all'` a list of results. The view is also
    a dictionary: `view['a'] = 1` pushes, `view['a']` pulls.
    """

    __module__ = "paraply.client.view"

    def __init__(self, client: Client, *, targets: Any = "all", **flags: Any) -> None:
        super().__init__(client, targets=targets, **flags)

    # how calls are made

    def _call(
        self,
        work: Function | Execute,
        arguments: list[Payload],
        name: str,
        targets: Any,
        *,
        engines: list[int] | None = None,
        label: str | None = None,
        verb: str = "",
    ) -> AsyncResult:
        spec = CallSpec(
            work=work,
            arguments=arguments,
            direct=True,
            engine_ids=self._engines(targets) if engines is None else engines,
            name=name,
            verb=verb,
            label=(self.label if label is None else label) or "",
            run_timeout=self.run_timeout or None,
        )
        tasks = self._submit(spec)
        return AsyncResult(self.client, tasks, fname=name, targets=targets, single=isinstance(targets, int))

    def _call_map(
        self, work: Function, arguments: list[Payload], engines: list[int], mapper: Mapper, **options: Any
    ) -> AsyncMapResult:
        """One argument an engine, results joined by `mapper`."""
        label, verb = options.pop("label", None), options.pop("verb", "")
        spec = CallSpec(
            work=work,
            arguments=arguments,
            direct=True,
            engine_ids=engines,
            name=options["fname"],
            verb=verb,
            label=(self.label if label is None else label) or "",
            run_timeout=self.run_timeout or None,
        )
        return AsyncMapResult(self.client, self._submit(spec), mapper, **options)

    def _operation(self, operation: Callable[..., Any], *args: Any, targets: Any, name: str) -> AsyncResult:
        targets = self.targets if targets is None else targets
        arguments = self._dump(operation, args)
        return self._call(dump_function(operation), [arguments], name, targets)

    def _apply(self, f: Any, args: tuple[Any, ...], kwargs: dict[str, Any], block: bool | None) -> Any:
        function = dump_function(f)
        arguments = self._dump(f, args, kwargs)
        result = self._call(function, [arguments], function.name, self.targets, verb="apply")
        return self._finish(result, block)

    # maps

    def map(
        self,
        f: Callable[..., Any],
        /,
        *sequences: Any,
        block: bool | None = None,
        track: bool = False,
        return_exceptions: bool = False,
        label: str | None = None,
    ) -> Any:
        """Calls `f` for each element, one contiguous chunk an engine. Unequal sequences are cut to the shortest.

        With `return_exceptions` a chunk that failed contributes its error instead of raising it.
        """
        assert sequences, "must have some sequences to map onto!"
        function = dump_function(f, mapped=True)
        listed = _shortest(sequences)
        length = min(map(len, listed))
        engines = self._engines(self.targets)
        cuts = [(begin, end) for begin, end in bounds(length, len(engines)) if end > begin]
        chunks = [tuple([each[begin:end] for each in listed]) for begin, end in cuts]
        arguments = [self._dump(f, chunk) for chunk in chunks]
        result = self._call_map(
            function,
            arguments,
            engines[: len(cuts)],
            Chunks([end - begin for begin, end in cuts]),
            fname=function.name,
            ordered=True,
            return_exceptions=return_exceptions,
            label=label,
            verb="map",
        )
        return self._finish(result, block)

    def _map_options(self, *, chunksize: int | None, ordered: bool) -> dict[str, Any]:
        if chunksize is not None:
            warnings.warn("a direct view has one chunk an engine: chunksize is ignored", stacklevel=3)
        return {}

    def _parallel_call(
        self, f: Any, sequences: list[Any], *, chunksize: int | None, ordered: bool, return_exceptions: bool
    ) -> AsyncMapResult:
        """Calls `f` once an engine, with its part of each sequence."""
        self._map_options(chunksize=chunksize, ordered=ordered)
        function = dump_function(f)
        engines = self._engines(self.targets)
        cuts = [(begin, end) for begin, end in bounds(len(sequences[0]), len(engines)) if end > begin]
        parts = [tuple([each[begin:end] for each in sequences]) for begin, end in cuts]
        arguments = [self._dump(f, part) for part in parts]
        return self._call_map(
            function,
            arguments,
            engines[: len(cuts)],
            Parts(),
            fname=function.name,
            ordered=ordered,
            return_exceptions=return_exceptions,
            verb="apply",
        )

    # code

    def execute(
        self,
        code: str,
        silent: bool = True,
        targets: Any = None,
        block: bool | None = None,
        label: str | None = None,
    ) -> AsyncResult:
        """Executes source code in the engines' namespaces; IPython's syntax where they have IPython.

        Returns an AsyncResult always; with `block` when the code has run and its output is here.
        """
        targets = self.targets if targets is None else targets
        result = self._call(Execute(code, silent), [], "execute", targets, label=label)
        self._finish(result, block, waits=True)
        return result

    def run(
        self,
        filename: str | PathLike[str],
        targets: Any = None,
        block: bool | None = None,
        label: str | None = None,
    ) -> AsyncResult:
        """Executes a script. The file is read here; what it defines stays in the engines' namespaces."""
        source = Path(filename).read_text(encoding="utf-8")
        targets = self.targets if targets is None else targets
        result = self._call(Execute(source + "\n", True, str(filename)), [], "execute", targets, label=label)
        self._finish(result, block, waits=True)
        return result

    def sync_imports(self, local: bool = True, quiet: bool = False) -> AbstractContextManager[None]:
        """`with view.sync_imports(): import numpy` imports here and on the engines."""
        return sync_imports(self, local, quiet)

    @property
    def importer(self) -> AbstractContextManager[None]:
        """`sync_imports()` for use in `with view.importer:`."""
        return self.sync_imports(True)

    # data

    def push(
        self, ns: dict[str, Any], targets: Any = None, block: bool | None = None, track: bool | None = None
    ) -> Any:
        """Assigns values to names on the engines. Names may be dotted."""
        if not isinstance(ns, dict):
            raise TypeError(f"push takes a dict of names and values, not {type(ns).__name__}")
        for name in ns:
            if not isinstance(name, str):
                raise TypeError(f"names on engines are strings, not {type(name).__name__}: {name!r}")
        return self._finish(self._operation(_ops.push, ns, targets=targets, name="push"), block)

    def pull(self, names: str | Iterable[str], targets: Any = None, block: bool | None = None) -> Any:
        """The values of a name or expression, or lists of the values of several."""
        if not isinstance(names, str):
            names = list(names)
        for name in [names] if isinstance(names, str) else names:
            if not isinstance(name, str):
                raise TypeError(f"names on engines are strings, not {type(name).__name__}: {name!r}")
        return self._finish(self._operation(_ops.pull, names, targets=targets, name="pull"), block)

    def scatter(
        self,
        key: str,
        seq: Any,
        dist: str = "b",
        flatten: bool = False,
        targets: Any = None,
        block: bool | None = None,
        track: bool | None = None,
    ) -> AsyncResult | None:
        """Gives each engine a part of `seq` under the name `key`. With `flatten` a part of one element is that element.

        Returns None if it blocks, else an AsyncResult.
        """
        _check_distribution(dist)
        targets = self.targets if targets is None else targets
        engines = self._engines(targets)
        seq = sliceable(seq)
        arguments = []
        for index in range(len(engines)):
            part = Map.get_partition(seq, index, len(engines))
            if flatten and len(part) == 1:
                part = part[0]
            arguments.append(self._dump(_ops.push, ({key: part},)))
        result = self._call(dump_function(_ops.push), arguments, "scatter", targets, engines=engines)
        finished = self._finish(result, block)
        return finished if finished is result else None

    def gather(self, key: str, dist: str = "b", targets: Any = None, block: bool | None = None) -> Any:
        """The parts under the name `key`, joined: the opposite of `scatter`."""
        _check_distribution(dist)
        engines = self._engines(self.targets if targets is None else targets)
        arguments = self._dump(_ops.pull, (key,))
        result = self._call_map(dump_function(_ops.pull), [arguments], engines, Parts(), fname="gather", ordered=True)
        return self._finish(result, block)

    def get(self, key: str) -> Any:
        """Pulls one value, and waits for it."""
        return self.pull(key, block=True)

    def update(self, ns: dict[str, Any]) -> Any:
        """Pushes a dictionary. Waits only if the view blocks."""
        return self.push(ns)

    def __getitem__(self, key: str) -> Any:
        return self.get(key)

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def clear(self, targets: Any = None, block: bool | None = None) -> Any:
        """Empties the engines' namespaces."""
        return self._finish(self._operation(_ops.clear, targets=targets, name="clear"), block)

    def activate(self, suffix: str = "") -> None:
        """Makes this the view of `%px`, `%%px`, `%autopx` and the like; with a suffix, of `%px<suffix>`."""
        from paraply.client._activate import activate

        activate(self, suffix)

    def use_dill(self) -> Any:
        """Not built."""
        raise NotImplementedError("use_dill is not built yet: functions and values travel by cloudpickle")

    def use_cloudpickle(self) -> Any:
        """Not built."""
        raise NotImplementedError(
            "use_cloudpickle is not built yet: functions travel by cloudpickle already, with the engine's globals"
        )

    def use_pickle(self) -> Any:
        """Nothing to undo: there is no other way of serializing yet."""
        return None


def _check_distribution(dist: str) -> None:
    if dist not in ("b", "block"):
        raise ValueError(f"sequences are distributed in contiguous blocks: dist='b', not {dist!r}")


def _shortest(sequences: Sequence[Any]) -> list[Any]:
    """The sequences, to be cut; of those that may have no end, no more than there is of the shortest."""
    lengths = [len(sequence) for sequence in sequences if hasattr(sequence, "__len__")]
    if not lengths:
        items = list(zip(*sequences, strict=False))
        return [list(column) for column in zip(*items, strict=True)] or [[] for _ in sequences]
    shortest = min(lengths)
    return [
        sliceable(sequence) if hasattr(sequence, "__len__") else list(islice(sequence, shortest))
        for sequence in sequences
    ]
