"""Functions: pickled at the client and remembered there; unpickled at the engine and called for one task after another."""

from __future__ import annotations

import hashlib
import io
import pickle
import threading
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from paraply._serialize import names, rebuild, reference, values
from paraply._serialize.explain import explain_name_error, unpicklable
from paraply._serialize.payload import Encoding, Function, Payload
from paraply._serialize.pickler import Pickler
from paraply._serialize.prepickled import PrePickled
from paraply._serialize.rebuild import Scope
from paraply._serialize.reference import Reference
from paraply._serialize.snapshot import Snapshot


class Mapped:
    """A function over sequences: calls the one inside for each element, and gives the list of results."""

    __slots__ = ("function",)

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, *sequences: Any) -> list[Any]:
        return list(map(self.function, *sequences))

    def __reduce__(self) -> Any:
        return Mapped, (self.function,)


#: Pickles that are remembered, and the largest of them in bytes. A pickle keeps what it was made from alive.
_REMEMBERED = 128
_REMEMBERED_BYTES = 1 << 20

_Key = tuple[int, bool]
_cache: OrderedDict[_Key, tuple[types.FunctionType, Snapshot, Function]] = OrderedDict()
_cache_lock = threading.Lock()


def dump_function(function: Callable[..., Any] | Reference | PrePickled, *, mapped: bool = False) -> Function:
    """`function` as it is sent; with `mapped`, wrapped to be called once for each element of the sequences it gets.

    Raises TypeError where it cannot be called, and `UnpicklableError`, which names what in it cannot be pickled.
    """
    snapshot = Snapshot()
    if isinstance(function, PrePickled):
        function = function.obj
    if type(function) is not types.FunctionType:
        if not callable(function) and not isinstance(function, Reference):
            raise TypeError(f"f must be callable, not {type(function).__name__}: {function!r}")
        return _dump(function, mapped, snapshot)
    key = id(function), mapped
    known = _cache.get(key)
    if known is not None and known[0] is function and known[1].holds():
        return known[2]
    dumped = _dump(function, mapped, snapshot)
    if not snapshot.volatile and len(dumped.payload.data) <= _REMEMBERED_BYTES:
        with _cache_lock:
            _cache[key] = function, snapshot, dumped
            _cache.move_to_end(key)
            if len(_cache) > _REMEMBERED:
                _cache.popitem(last=False)
    return dumped


def _dump(function: Any, mapped: bool, snapshot: Snapshot) -> Function:
    name = _name(function)
    spelled = None if mapped else names.spell(function)
    if spelled is not None and not Pickler._by_value_on_request(spelled):
        return _finish(Payload(Encoding.TEXT, spelled.encode()), name)
    codes: list[types.CodeType] = []
    with io.BytesIO() as file:
        pickler = Pickler(file, codes=codes, snapshot=snapshot)
        try:
            pickler.dump(Mapped(function) if mapped else function)
        except Exception as failure:
            raise unpicklable(function, name, failure) from failure
        body = file.getvalue()
    with io.BytesIO() as file:
        Pickler(file).dump((tuple(codes), body))
        return _finish(Payload(Encoding.PICKLE5, file.getvalue(), python_version=pickler.python_version), name)


def _finish(payload: Payload, name: str) -> Function:
    return Function(hashlib.sha256(payload.data).digest(), payload, name)


def _name(function: Any) -> str:
    if isinstance(function, Reference):
        return function.name
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__


class Prepared:
    """A function at the engine: its code unpickled once, everything else anew for each task.

    So no state passes from one task to the next but through the namespace.
    """

    __slots__ = ("_body", "_codes", "_known")

    def __init__(self, payload: Payload) -> None:
        values.check_readable(payload)
        self._known: Any = None
        self._body = b""
        self._codes: tuple[types.CodeType, ...] = ()
        if payload.encoding == Encoding.TEXT:
            self._known = names.resolve(bytes(payload.data).decode())
        else:
            self._codes, self._body = pickle.loads(payload.data)

    def bind(self, scope: Scope | dict[str, Any]) -> Callable[..., Any]:
        """The function for one task, with the scope's namespace as its globals."""
        if not isinstance(scope, Scope):
            scope = Scope(scope)
        found = self._known
        if found is None:
            scope.codes = self._codes
            with rebuild.ReadingInto(scope):
                found = pickle.loads(self._body)
            if isinstance(found, Mapped):
                found.function = reference.evaluate(found.function, scope.namespace)
            else:
                found = reference.evaluate(found, scope.namespace)
        if getattr(found, "_paraply_wants_namespace_", False):
            return types.MethodType(found, scope.namespace)
        return found  # type: ignore[no-any-return]


def prepare_function(payload: Payload) -> Prepared:
    """Reads a function once for many tasks. Raises `UnreadableError`, ImportError, or what its unpickling raises."""
    return Prepared(payload)


def load_function(payload: Payload, namespace: dict[str, Any]) -> Callable[..., Any]:
    """The function of a payload, for one call."""
    return Prepared(payload).bind(namespace)


def run(prepared: Prepared, arguments: Payload, namespace: dict[str, Any], engine_id: int) -> Payload:
    """Calls a function as one task, and pickles its result: what an engine does.

    The helpers that function and arguments brought along are bound until the result is pickled, and no longer.
    """
    scope = Scope(namespace)
    function = prepared.bind(scope)
    args, kwargs = values.load_arguments(arguments, scope)
    try:
        if not scope.has_helpers:
            return values.dump_result(function(*args, **kwargs))
        with scope.entered():
            return values.dump_result(function(*args, **kwargs))
    except NameError as failure:
        explain_name_error(failure, scope, engine_id)
        raise
