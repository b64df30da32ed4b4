"""Functions at the client: pickled, and remembered while the pickle would come out the same."""

from __future__ import annotations

import hashlib
import io
import threading
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from paraply._serialize import names
from paraply._serialize.explain import unpicklable
from paraply._serialize.native import NativeFunction
from paraply._serialize.payload import Encoding, Function, Payload
from paraply._serialize.pickler import Pickler
from paraply._serialize.prepickled import PrePickled
from paraply._serialize.reference import Reference
from paraply._serialize.snapshot import Snapshot

#: Pickles that are remembered, and the largest of them in bytes. A pickle keeps what it was made from alive.
_REMEMBERED = 128
_REMEMBERED_BYTES = 1 << 20

_REMEMBERED_TYPES = (types.FunctionType, types.BuiltinFunctionType, type)

_cache: OrderedDict[tuple[int, bool], tuple[Any, Snapshot, Function]] = OrderedDict()
_cache_lock = threading.Lock()


def dump_function(
    function: Callable[..., Any] | Reference | PrePickled | NativeFunction, *, mapped: bool = False
) -> Function:
    """`function` as it is sent; with `mapped`, wrapped to be called once for each element of the sequences it gets.

    Raises TypeError where it cannot be called, and `UnpicklableError`, which names what in it cannot be pickled.
    """
    if isinstance(function, NativeFunction):
        if mapped:
            raise TypeError(
                f"{function!r} cannot be called over and over within one task: map it with a load-balanced view and chunksize=1, "
                f"whose tasks travel together all the same"
            )
        return _finish(Payload(Encoding.TEXT, f":{function.__name__}".encode()), function.__name__, native=True)
    key = id(function), mapped
    known = _cache.get(key)
    if known is not None and known[0] is function and known[1].holds():
        return known[2]
    if isinstance(function, PrePickled):
        return dump_function(function.obj, mapped=mapped)
    if not callable(function) and not isinstance(function, Reference):
        raise TypeError(f"f must be callable, not {type(function).__name__}: {function!r}")
    snapshot = Snapshot()
    dumped = _dump(function, mapped, snapshot)
    if type(function) in _REMEMBERED_TYPES and not snapshot.volatile and len(dumped.payload.data) <= _REMEMBERED_BYTES:
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
            pickler.dump(function)
        except Exception as failure:
            raise unpicklable(function, name, failure) from failure
        body = file.getvalue()
    with io.BytesIO() as file:
        Pickler(file).dump((tuple(codes), body, mapped))
        return _finish(Payload(Encoding.PICKLE5, file.getvalue(), python_version=pickler.python_version), name)


def _finish(payload: Payload, name: str, *, native: bool = False) -> Function:
    return Function(hashlib.sha256(payload.data).digest(), payload, name, native)


def _name(function: Any) -> str:
    if isinstance(function, Reference):
        return function.name
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__
