"""Functions whose calls run on engines."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from paraply._serialize import Reference
from paraply.client.map import sliceable

if TYPE_CHECKING:
    from paraply.client._view_base import View

__all__ = ["ParallelFunction", "RemoteFunction", "parallel", "remote"]


def remote(view: View, block: bool | None = None, **flags: Any) -> Callable[[Any], RemoteFunction]:
    """Decorator: a call of the function is `view.apply` of it. With `block=None` the view says whether it waits."""
    return lambda f: RemoteFunction(view, f, block=block, **flags)


def parallel(
    view: View, dist: str = "b", block: bool | None = None, ordered: bool = True, **flags: Any
) -> Callable[[Any], ParallelFunction]:
    """Decorator: a call gives each engine a part of the sequences it is called with."""
    return lambda f: ParallelFunction(view, f, dist=dist, block=block, ordered=ordered, **flags)


class RemoteFunction:
    """A function whose calls run on a view's engines.

    Args:
        view: Where.
        f: The function, or a `Reference` to one that the engines have.
        block: Whether calls wait; None: as the view does at the call.
        flags: Flags of the view for the length of a call.
    """

    def __init__(self, view: View, f: Any, block: bool | None = None, **flags: Any) -> None:
        self.view = view
        self.func = f
        self.block = block
        self.flags = flags
        if isinstance(f, Reference):
            self.__name__ = f.name
            return
        functools.update_wrapper(self, f, assigned=("__module__", "__name__", "__qualname__"), updated=())
        self.__doc__ = f"{type(self).__name__} wrapping:\n{inspect.getdoc(f) or ''}".rstrip()
        try:
            self.__signature__ = inspect.signature(f)
        except (TypeError, ValueError):  # some builtin functions have none
            return

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.__name__}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._view().apply(self.func, *args, **kwargs)

    def _view(self) -> View:
        """The view with this function's flags, which other threads must not see in theirs."""
        return self.view._with_flags(**{"block": self._blocks(), **self.flags})

    def _blocks(self) -> bool:
        return self.view.block if self.block is None else self.block


class ParallelFunction(RemoteFunction):
    """A function that each engine calls with its part of the sequences; `map` calls it once for each element.

    Args:
        dist: How sequences are cut: `'b'`, in contiguous blocks.
        chunksize: On a balanced view: elements a task; None for one.
        ordered: Without it, iteration gives results as they come.
        return_exceptions: A part that failed contributes its error instead of raising it.
    """

    def __init__(
        self,
        view: View,
        f: Any,
        dist: str = "b",
        block: bool | None = None,
        chunksize: int | None = None,
        ordered: bool = True,
        return_exceptions: bool = False,
        **flags: Any,
    ) -> None:
        super().__init__(view, f, block=block, **flags)
        if dist not in ("b", "block"):
            raise ValueError(f"sequences are distributed in contiguous blocks: dist='b', not {dist!r}")
        self.dist = dist
        self.chunksize = chunksize
        self.ordered = ordered
        self.return_exceptions = return_exceptions

    def __call__(self, *sequences: Any, **kwargs: Any) -> Any:
        if kwargs:
            raise TypeError(f"Unexpected keyword arguments: {', '.join(kwargs)}")
        if not sequences:
            raise TypeError(f"{self.__name__} is called with the sequences to distribute, at least one")
        listed = [sliceable(sequence) for sequence in sequences]
        lengths = [len(sequence) for sequence in listed]
        if len(set(lengths)) > 1:
            raise ValueError(f"all sequences must have equal length, but have {lengths}")
        view = self._view()
        result = view._parallel_call(
            self.func,
            listed,
            chunksize=self.chunksize,
            ordered=self.ordered,
            return_exceptions=self.return_exceptions,
        )
        return view._finish(result, None)

    def map(self, *sequences: Any) -> Any:
        """Calls the function once for each element of the sequences, cut to the shortest."""
        options: dict[str, Any] = {"return_exceptions": self.return_exceptions}
        options |= self.view._map_options(chunksize=self.chunksize, ordered=self.ordered)
        return self._view().map(self.func, *sequences, **options)
