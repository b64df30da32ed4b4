"""Values: arguments, results and exceptions, to payloads and back."""

from __future__ import annotations

import importlib
import io
import pickle
from typing import Any

import cloudpickle

from paraply import error
from paraply._serialize import rebuild, reference
from paraply._serialize.call import Call
from paraply._serialize.explain import unpicklable
from paraply._serialize.payload import OUT_OF_BAND_BYTES, PYTHON_VERSION, BytesLike, Encoding, Payload
from paraply._serialize.pickler import Buffers, Pickler
from paraply._serialize.rebuild import Scope

_SCALARS = frozenset({int, float, str, bool, type(None), complex})
_CONTAINERS = frozenset({list, tuple, dict})


class _Raw:
    """A large `bytes` or `bytearray`, sent outside the pickle: pickle itself would copy it in."""

    __slots__ = ("_make", "_obj")

    def __init__(self, obj: Any) -> None:
        self._obj = obj
        self._make = rebuild.make_bytes if type(obj) is bytes else rebuild.make_bytearray

    def __reduce__(self) -> Any:
        return self._make, (pickle.PickleBuffer(self._obj),)


def _lift(value: Any, depth: int = 1) -> Any:
    """`value` with its large byte strings marked to travel outside the pickle; `depth` levels of containers are looked at."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is bytes or kind is bytearray:
        return _Raw(value) if len(value) >= OUT_OF_BAND_BYTES else value
    if depth and kind in _CONTAINERS and value:
        items = value.values() if kind is dict else value
        if any(type(item) in (bytes, bytearray) and len(item) >= OUT_OF_BAND_BYTES for item in items):
            if kind is dict:
                return {key: _lift(item, depth - 1) for key, item in value.items()}
            return kind([_lift(item, depth - 1) for item in value])
    return value


def dump(value: Any, what: str = "value") -> Payload:
    """`value` as a payload. Raises `UnpicklableError`, which starts with the path from `what` to the culprit."""
    buffers = Buffers()
    try:
        data = pickle.dumps(value, 5, buffer_callback=buffers)
    except Exception:  # noqa: BLE001  # a lambda, a lock, a class that says no: the slow way knows more, and fails with a reason
        return _dump_slowly(value, what)
    if buffers.read_only or b"__main__" in data or cloudpickle.list_registry_pickle_by_value():
        return _dump_slowly(value, what)
    return Payload(Encoding.PICKLE5, data, buffers.raw)


def _dump_slowly(value: Any, what: str) -> Payload:
    buffers = Buffers()
    with io.BytesIO() as file:
        pickler = Pickler(file, buffers)
        try:
            pickler.dump(value)
        except Exception as failure:
            raise unpicklable(value, what, failure) from failure
        return Payload(Encoding.PICKLE5, file.getvalue(), buffers.raw, pickler.python_version)


def check_readable(payload: Payload) -> None:
    """Raises `UnreadableError` where this interpreter must not unpickle the payload."""
    if payload.python_version and payload.python_version != PYTHON_VERSION:
        raise error.UnreadableError(
            f"made by Python {payload.python_version}, and this is Python {PYTHON_VERSION}: code objects are read by the "
            f"minor version that made them. Run client and engines on the same one, or put the function into a module"
        )


def load(payload: Payload, scope: Scope) -> Any:
    """The value of a payload; its functions get the scope's namespace as their globals."""
    if payload.encoding != Encoding.PICKLE5:
        from paraply._serialize import portable  # what few programs need costs the others no time

        return portable.load(payload)
    check_readable(payload)
    outer = scope.arrays
    scope.arrays = [_writable(buffer) for buffer in payload.buffers]
    try:
        with rebuild.ReadingInto(scope):
            return pickle.loads(payload.data, buffers=scope.arrays)
    finally:
        scope.arrays = outer  # of the payload that this one came in; else nobody keeps the bytes


def _writable(buffer: BytesLike) -> BytesLike:
    return bytearray(buffer) if memoryview(buffer).readonly else buffer


def dump_arguments(args: tuple[Any, ...], kwargs: dict[str, Any], *, portable: bool = False) -> Payload:
    """The arguments of one call; if `portable`, as every language reads them. Where there are none, there is nothing to
    pickle either.

    Raises `UnpicklableError`, or `NotPortableError` if `portable`, which start with the path to the culprit.
    """
    if portable:
        from paraply._serialize import portable_call  # what few programs need costs the others no time

        return portable_call.dump(args, kwargs)
    if not args and not kwargs:
        return Payload(Encoding.PICKLE5, b"")
    for value in args:
        if type(value) not in _SCALARS:
            args = tuple([_lift(each) for each in args])
            break
    if kwargs:
        kwargs = {name: _lift(value) for name, value in kwargs.items()}
    buffers = Buffers()
    try:
        data = pickle.dumps((args, kwargs), 5, buffer_callback=buffers)
    except Exception:  # noqa: BLE001  # as in `dump`
        return _dump_slowly_as_call(args, kwargs)
    if buffers.read_only or b"__main__" in data or cloudpickle.list_registry_pickle_by_value():
        return _dump_slowly_as_call(args, kwargs)
    return Payload(Encoding.PICKLE5, data, buffers.raw)


def _dump_slowly_as_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Payload:
    return _dump_slowly(Call(args, kwargs), "")


def load_arguments(payload: Payload, scope: Scope | dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of one call, with the references in them resolved."""
    if not payload.data and not payload.buffers:
        return (), {}
    if payload.encoding != Encoding.PICKLE5:
        from paraply._serialize import portable

        return portable.load_arguments(payload)
    if not isinstance(scope, Scope):
        scope = Scope(scope)
    args, kwargs = load(payload, scope)
    if scope.has_references:
        namespace = scope.namespace
        args = tuple([reference.evaluate(value, namespace) for value in args])
        kwargs = {name: reference.evaluate(value, namespace) for name, value in kwargs.items()}
    return args, kwargs


def dump_result(value: Any, asked_in: Encoding = Encoding.PICKLE5) -> Payload:
    """The result of a task whose arguments were `asked_in` an encoding: JSON for JSON, and pickled only if need be for the
    others that are no pickle. Raises `UnpicklableError` or `NotJSONError`.
    """
    if asked_in == Encoding.JSON:
        from paraply._serialize import json_values

        return json_values.dump(value)
    if asked_in not in (Encoding.UNSPECIFIED, Encoding.PICKLE5):
        from paraply._serialize import portable

        try:
            return portable.dump(value)
        except portable.NotPortable:
            pass
    return dump(_lift(value), "result")


def load_result(payload: Payload) -> Any:
    """The result of a task, at the client: functions in it get the client's `__main__` as their globals."""
    return load(payload, Scope(vars(importlib.import_module("__main__"))))


def dump_exception(exception: BaseException) -> Payload | None:
    """An exception as a value, or None where it does not survive the journey: its text travels in any case."""
    try:
        payload = dump(exception, "exception")
        load_result(payload)  # many take other arguments than the ones they keep, and fail only when they are read
    except Exception:  # noqa: BLE001  # pickling runs users' code
        return None
    return payload


def load_exception(payload: Payload) -> BaseException | None:
    """The exception of a failed task, or None where this end does not have its class."""
    try:
        loaded = load_result(payload)
    except Exception:  # noqa: BLE001  # pickling runs users' code
        return None
    return loaded if isinstance(loaded, BaseException) else None
