"""The arguments of one call as every language reads them, and what in them has no such form."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from paraply import error
from paraply._serialize import arrays, portable, tables
from paraply._serialize.explain import PATH_CHARACTERS, shortened, shown
from paraply._serialize.payload import Encoding, Payload

_FORMS = (
    "portable are None, bool, int of 64 bits, float, str, bytes, list, tuple, range, dict whose keys are str, int or bytes, "
    "datetime with a time zone, numpy arrays of numbers, and an Arrow table alone"
)


def dump(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Payload:
    """The arguments of one call. Raises `NotPortableError`, which starts with the path to the culprit."""
    if not args and not kwargs:
        return Payload(Encoding.MSGPACK, b"")
    if portable.POSITIONAL in kwargs:
        raise error.NotPortableError(f"{portable.POSITIONAL}: no argument can have this name in a portable call")
    if len(args) == 1 and not kwargs and tables.is_table(args[0]):
        return tables.dump(args[0])
    value: Any = args
    if kwargs:
        value = {portable.POSITIONAL: args, **kwargs} if args else kwargs
    try:
        return portable.dump(value)
    except portable.NotPortable as failure:
        raise _explained(args, kwargs) from failure


def _explained(args: tuple[Any, ...], kwargs: dict[str, Any]) -> error.NotPortableError:
    named = [(f"args[{index}]", value) for index, value in enumerate(args)] + list(kwargs.items())
    for path, value in named:
        if tables.is_table(value) or not _is_portable(value):
            path, reason = _descend(path, value)
            return error.NotPortableError(f"{shortened(path, PATH_CHARACTERS)}: {reason}: {_FORMS}")
    return error.NotPortableError(f"the arguments are nested too deeply, or come to 4 GiB: {_FORMS}")


def _descend(path: str, value: Any) -> tuple[str, str]:
    """The deepest part that has no portable form by itself, and why."""
    for _ in range(portable.MAX_DEPTH):
        for name, part in _parts(path, value):
            if tables.is_table(part) or not _is_portable(part):
                path, value = name, part
                break
        else:
            return path, _reason(value)
    return path, f"it is nested more than {portable.MAX_DEPTH} deep"


def _is_portable(value: Any) -> bool:
    try:
        portable.dump(value)
    except portable.NotPortable:
        return False
    return True


def _parts(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield f"{path}[{shown(key)}]", part
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield f"{path}[{index}]", part


def _reason(value: Any) -> str:
    kind = type(value)
    if tables.is_table(value):
        return "a table travels as the only argument of a call"
    if isinstance(value, dict):
        for key in value:
            if type(key) not in (str, int, bytes):
                return f"the key {shown(key)} is a {type(key).__name__}"
    if isinstance(value, int):
        return "an int of more than 64 bits has no portable form"
    if isinstance(value, str):
        return "text with lone surrogates has no portable form"
    if isinstance(value, datetime.datetime):
        return "a datetime without a time zone has no portable form"
    if arrays.is_array(value):
        return f"an array of {value.dtype} has no portable form"
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"a {name} has no portable form"
