"""What pickles call at the end that reads them. Every name here is part of the format.

Functions of `__main__` are made with the reader's namespace as their globals. What that namespace lacks comes with them
and is bound where Python looks next: in the builtins of the function, which are a copy of the real ones. See
docs/adr on the globals of functions.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import importlib
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any, Literal

from paraply._serialize import names

#: Origin of functions of `__main__`; other interactive origins (a script under `%run`) have a number of their own.
MAIN = 0

_EMPTY_CELL = "paraply: empty cell"
Helpers = tuple[dict[str, str], dict[str, Any], list[str]]


class Scope:
    """What one call brings along: for each origin the builtins of its functions, with helpers among them."""

    __slots__ = ("_builtins", "absent", "arrays", "codes", "has_references", "namespace")

    def __init__(self, namespace: dict[str, Any], codes: tuple[types.CodeType, ...] = ()) -> None:
        namespace.setdefault("__builtins__", builtins)  # what C code that imports looks for
        self.namespace = namespace
        self.codes = codes
        #: Writable buffers of the payload that is being read.
        self.arrays: list[Any] = []
        #: Helpers that could not be imported at this end: name to reason.
        self.absent: dict[str, str] = {}
        self.has_references = False
        self._builtins: dict[int, dict[str, Any]] = {}

    @property
    def has_helpers(self) -> bool:
        """Whether anything that was read brought helpers along."""
        return bool(self._builtins)

    def builtins_of(self, origin: int) -> dict[str, Any]:
        """The builtins that functions of `origin` see; made when first asked for."""
        found = self._builtins.get(origin)
        if found is None:
            found = self._builtins[origin] = vars(builtins).copy()
        return found

    def add_helpers(self, origin: int, helpers: Helpers) -> None:
        """Binds helpers for functions of `origin`: some by name, some by value, and submodules to load."""
        references, values, submodules = helpers
        bound = self.builtins_of(origin)
        bound.update(values)
        for name, spelled in references.items():
            if name in self.namespace:
                continue
            try:
                bound[name] = names.resolve(spelled)
            except (ImportError, AttributeError) as error:
                self.absent[name] = str(error)
        names.import_all(submodules)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Binds the helpers for code that is compiled or nested functions that are made within the call."""
        if not self._builtins:
            yield
            return
        origins = sorted(self._builtins)
        merged = self._builtins[origins[0]]
        for origin in origins[1:]:  # what `__main__` binds wins
            merged = self._builtins[origin] | merged
        with _swapped(self.namespace, merged):
            yield


@contextlib.contextmanager
def _swapped(namespace: dict[str, Any], replacement: dict[str, Any]) -> Iterator[None]:
    before = namespace["__builtins__"]
    namespace["__builtins__"] = replacement
    try:
        yield
    finally:
        namespace["__builtins__"] = before


class _Current(threading.local):
    scope: Scope | None = None


_current = _Current()


def current_scope() -> Scope:
    """The scope that is being read into; for a stray `pickle.loads`, one over this process's `__main__`."""
    if _current.scope is not None:
        return _current.scope
    return Scope(vars(importlib.import_module("__main__")))


class ReadingInto:
    """Makes `scope` the one that pickles read in this thread use, for the length of a `with` block."""

    __slots__ = ("_before", "_scope")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __enter__(self) -> None:
        self._before = _current.scope
        _current.scope = self._scope

    def __exit__(self, *_: object) -> None:
        _current.scope = self._before


def code_at(index: int) -> types.CodeType:
    """A code object of the function payload that is being read, unpickled once for all its tasks."""
    return current_scope().codes[index]


def make_function(
    code: types.CodeType, closure: tuple[types.CellType, ...] | None, origin: int, has_helpers: bool
) -> types.FunctionType:
    """A function whose globals are the reader's namespace."""
    scope = current_scope()
    if not has_helpers:
        return types.FunctionType(code, scope.namespace, None, None, closure)
    with _swapped(scope.namespace, scope.builtins_of(origin)):  # a function keeps the builtins it is made with
        return types.FunctionType(code, scope.namespace, None, None, closure)


def make_module_function(
    code: types.CodeType, closure: tuple[types.CellType, ...] | None, module: str
) -> types.FunctionType:
    """A lambda or nested function of an importable module: that module's globals, or ours where it cannot be imported."""
    try:
        namespace = vars(importlib.import_module(module))
    except ImportError as error:
        scope = current_scope()
        namespace = scope.namespace
        for name in names.global_names(code):
            scope.absent.setdefault(name, str(error))
    return types.FunctionType(code, namespace, None, None, closure)


FunctionState = tuple[
    str, str, str | None, str | None, Any, dict[str, Any] | None, dict[str, Any], dict[str, Any], Helpers | None, int
]


def set_function_state(function: types.FunctionType, state: FunctionState) -> None:
    """Fills in what may refer back to the function."""
    name, qualname, module, doc, defaults, kwdefaults, annotations, attributes, helpers, origin = state
    function.__name__ = name
    function.__qualname__ = qualname
    function.__module__ = module  # type: ignore[assignment]  # None is allowed
    function.__doc__ = doc
    function.__defaults__ = defaults
    function.__kwdefaults__ = kwdefaults
    if annotations:
        function.__annotations__ = annotations
    if attributes:
        function.__dict__.update(attributes)
    if helpers is not None:
        current_scope().add_helpers(origin, helpers)


def make_cell() -> types.CellType:
    """An empty closure cell."""
    return types.CellType()


def set_cell(cell: types.CellType, contents: tuple[Any, ...]) -> None:
    """Fills a closure cell; an empty one stays empty."""
    for value in contents:
        cell.cell_contents = value


def make_class(qualname: str, make: Callable[..., type], *args: Any) -> type:
    """A class of `__main__`: the reader's own of that name, else the one that travels."""
    return _own_class(qualname) or make(*args)


def set_class_state(cls: type, how: tuple[Callable[[type, Any], Any], Any]) -> None:
    """Fills in a class that travels, and leaves alone one that the reader has itself."""
    set_state, state = how
    if _own_class(cls.__qualname__) is not cls:
        set_state(cls, state)


def _own_class(qualname: str) -> type | None:
    first, *rest = qualname.split(".")
    found = current_scope().namespace.get(first)
    for attribute in rest:
        found = getattr(found, attribute, None)
    if isinstance(found, type) and names.is_main(found.__module__) and found.__qualname__ == qualname:
        return found
    return None


def import_by_name(spelled: str) -> Any:
    """The object that both ends can import under this name."""
    return names.resolve(spelled)


def make_lru_cache(wrapped: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    """A fresh, empty `functools.lru_cache` over the same function."""
    return functools.lru_cache(**parameters)(wrapped)


def make_bytes(buffer: Any) -> bytes:
    """A `bytes` object that travelled outside the pickle."""
    return bytes(buffer)


def make_bytearray(buffer: Any) -> bytearray:
    """A `bytearray` that travelled outside the pickle: the reader's buffer itself where it is one."""
    return buffer if isinstance(buffer, bytearray) else bytearray(buffer)


def make_memoryview(buffer: Any, form: str, shape: tuple[int, ...]) -> memoryview:
    """A `memoryview` of the sender's format and shape, over the reader's own memory."""
    flat = memoryview(buffer).cast("B")
    if form == "B" and len(shape) == 1:
        return flat
    view: memoryview = flat.cast(form, shape)  # type: ignore[call-overload]  # any native format
    return view


def make_array(index: int, buffer: Any, dtype: Any, shape: tuple[int, ...], order: Literal["C", "F"]) -> Any:
    """An array that was read-only at the sender and is writable here: it is the reader's memory."""
    import numpy

    own = current_scope().arrays
    memory = own[index] if index < len(own) else bytearray(buffer)
    return numpy.frombuffer(memory, dtype=dtype).reshape(shape, order=order)
