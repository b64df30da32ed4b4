"""Functions at the engine: read once, made anew for one task after another, and called."""

from __future__ import annotations

import pickle
import types
from collections.abc import Callable
from typing import Any

from paraply import error
from paraply._serialize import names, rebuild, reference, values
from paraply._serialize.explain import explain_name_error
from paraply._serialize.payload import Encoding, Payload
from paraply._serialize.rebuild import Scope
from paraply._serialize.snapshot import is_constant
from paraply._serialize.source import Source, is_source


class Mapped:
    """A function over sequences: calls the one inside for each element, and gives the list of results."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *sequences: Any) -> list[Any]:
        # `list(map(...))` would take a StopIteration of the function's for the end of the sequences.
        return [self._function(*each) for each in zip(*sequences, strict=False)]


class Prepared:
    """A function at the engine: its code unpickled once, everything else anew for each task.

    So no state passes from one task to the next but through the namespace.
    """

    __slots__ = ("_body", "_codes", "_mapped", "_plain", "_source", "_spelled")

    def __init__(self, payload: Payload) -> None:
        if payload.encoding not in (Encoding.PICKLE5, Encoding.TEXT):
            raise error.UnreadableError(f"a function is pickled or named in TEXT, not {payload.encoding.name}")
        values.check_readable(payload)
        self._spelled: str | None = None
        self._source: Source | None = None
        self._plain: types.FunctionType | None = None
        self._body = b""
        self._mapped = False
        self._codes: tuple[types.CodeType, ...] = ()
        if payload.encoding == Encoding.TEXT:
            text = bytes(payload.data).decode()
            if text.startswith(":"):
                raise error.UnreadableError(
                    f"this engine runs Python, and {text[1:]!r} is a native function: call it on engines with the label "
                    f"runtime=native"
                )
            if is_source(text):
                self._source = Source(text)
            else:
                self._spelled = text
                names.resolve(text)  # what is not there is said now
        else:
            self._codes, self._body, self._mapped = pickle.loads(payload.data)

    def bind(self, scope: Scope | dict[str, Any]) -> Callable[..., Any]:
        """The function for one task, with the scope's namespace as its globals."""
        if not isinstance(scope, Scope):
            scope = Scope(scope)
        if self._plain is not None and self._plain.__globals__ is scope.namespace:
            found: Any = _again(self._plain)
        elif self._source is not None:
            found = self._source.bind(scope.namespace)
        else:
            # By name it is looked up each time: its module may have been reloaded.
            found = self._read(scope) if self._spelled is None else names.resolve(self._spelled)
        if getattr(found, "_paraply_wants_namespace_", False):
            found = types.MethodType(found, scope.namespace)
        return Mapped(found) if self._mapped else found

    def _read(self, scope: Scope) -> Any:
        scope.codes = self._codes
        with rebuild.ReadingInto(scope):
            found = pickle.loads(self._body)
        if type(found) is types.FunctionType and not scope.has_helpers and _is_plain(found, scope.namespace):
            self._plain = found
            return _again(found)
        return reference.evaluate(found, scope.namespace)


def _is_plain(function: types.FunctionType, namespace: dict[str, Any]) -> bool:
    """Whether a function is no more than its code and constants, so that another like it needs no unpickling."""
    return (
        function.__globals__ is namespace
        and function.__closure__ is None
        and not function.__dict__
        and not function.__annotations__
        and function.__kwdefaults__ is None
        and _may_be_shared(function.__defaults__)
    )


def _may_be_shared(value: Any) -> bool:
    """Whether tasks may have the same object without hearing of each other. A function or class that was sent by value
    belongs to its task; one that was imported is everybody's.
    """
    if type(value) is tuple or type(value) is frozenset:
        return all(map(_may_be_shared, value))
    if isinstance(value, (types.FunctionType, type)):
        return names.spell(value) is not None
    return not isinstance(value, (property, staticmethod, classmethod)) and is_constant(value)


def _again(plain: types.FunctionType) -> types.FunctionType:
    made = types.FunctionType(plain.__code__, plain.__globals__, plain.__name__, plain.__defaults__)
    made.__qualname__ = plain.__qualname__
    made.__module__ = plain.__module__
    return made


def prepare_function(payload: Payload) -> Prepared:
    """Reads a function once for many tasks. Raises `UnreadableError`, ImportError, or what its unpickling raises."""
    return Prepared(payload)


def load_function(payload: Payload, namespace: dict[str, Any]) -> Callable[..., Any]:
    """The function of a payload, for one call."""
    return Prepared(payload).bind(namespace)


def run(prepared: Prepared, arguments: Payload, namespace: dict[str, Any], engine_id: int) -> Payload:
    """Calls a function as one task, and makes a payload of its result: what an engine does.

    Whoever sends arguments that are no pickle gets none, unless the result cannot be anything else; whoever sends JSON gets
    JSON or an error.

    The helpers that function and arguments brought along are bound until the result is pickled, and no longer. `arguments`
    is empty when the function is called.
    """
    scope = Scope(namespace)
    function = prepared.bind(scope)
    args, kwargs = values.load_arguments(arguments, scope)
    # They have what they need of these.
    arguments.data = b""
    arguments.buffers.clear()
    try:
        if not scope.has_helpers:
            return values.dump_result(function(*args, **kwargs), arguments.encoding)
        with scope.entered():
            return values.dump_result(function(*args, **kwargs), arguments.encoding)
    except NameError as failure:
        explain_name_error(failure, scope, engine_id)
        raise
