"""Values that other languages read too: MessagePack, arrays, Arrow tables, JSON and text.

`docs/protocol.md` says what becomes what. Whoever never meets a portable value never imports what reads them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from paraply import error
from paraply._serialize import arrays, tables
from paraply._serialize.payload import Encoding, Payload

#: How deep lists and maps may be inside each other.
MAX_DEPTH = 128

#: Among named arguments, the name of the list of positional ones. No parameter can be called so.
POSITIONAL = "*"

_ATOMS = frozenset({int, float, str, bool, bytes, type(None)})
_KEYS = frozenset({str, int, bytes})
_TOO_LARGE = 1 << 32


class NotPortable(Exception):
    """The value has something in it that only Python has."""


def dump(value: Any) -> Payload:
    """`value` as a payload that every language reads. Raises `NotPortable`."""
    if arrays.is_array(value):
        payload = arrays.dump(value)
        if payload is None:
            raise NotPortable
        return payload
    if tables.is_table(value):
        return tables.dump(value)
    import msgpack

    parts = _Parts()
    try:
        _check(value, MAX_DEPTH)
        data = msgpack.packb(value, default=parts.add, datetime=True)
    except Exception as failure:  # a class that derives from dict or list is users' code
        raise NotPortable from failure
    if len(data) >= _TOO_LARGE:
        raise NotPortable
    return Payload(Encoding.MSGPACK, data, parts.buffers)


def _check(value: Any, depth: int) -> None:
    """Raises `NotPortable` for keys that MessagePack's library would write, and nobody could read, and for what is too deep."""
    if isinstance(value, dict):
        if not _KEYS.issuperset(map(type, value)):
            raise NotPortable
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    if depth == 0:
        raise NotPortable
    if not _ATOMS.issuperset(map(type, value)):
        for item in value:
            _check(item, depth - 1)


class _Parts:
    """What MessagePack's library cannot write by itself."""

    def __init__(self) -> None:
        self.buffers: list[Any] = []

    def add(self, value: Any) -> Any:
        """Called for whatever is left. Raises `NotPortable`."""
        if arrays.is_array(value):
            part = arrays.dump_part(value, self.buffers)
            if part is not None:
                return part
        if type(value) is range:
            return list(value)
        numpy = sys.modules.get("numpy")
        if (
            numpy is not None
            and isinstance(value, numpy.generic)
            and value.dtype.kind in "biuf"
            and value.itemsize <= 8
        ):
            return value.item()
        raise NotPortable


def load(payload: Payload) -> Any:
    """The value of a payload in any encoding but pickle. Raises `UnreadableError`."""
    loader = _LOADERS.get(payload.encoding)
    if loader is None:
        raise error.UnreadableError(f"the value is in the encoding {payload.encoding!r}, which this end does not read")
    try:
        return loader(payload)
    except error.UnreadableError:
        raise
    # What the libraries raise for broken bytes, too much nesting, and times that `datetime` does not have.
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, OSError) as failure:
        reason = f"{type(failure).__name__}: {failure}"
        raise error.UnreadableError(
            f"these bytes are no value in the encoding {payload.encoding.name}: {reason}"
        ) from failure


def load_arguments(payload: Payload) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of one call: a list of positional ones or a map of named ones, which may have the positional ones under
    `POSITIONAL`; an array, a table or a text is one alone.

    Raises `UnreadableError`.
    """
    value = load(payload)
    if payload.encoding not in (Encoding.MSGPACK, Encoding.JSON):
        return (value,), {}
    if isinstance(value, list):
        return tuple(value), {}
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        args = value.pop(POSITIONAL, [])
        if not isinstance(args, list):
            raise error.UnreadableError(
                f"{POSITIONAL!r} names the list of positional arguments, not a {type(args).__name__}"
            )
        return tuple(args), value
    raise error.UnreadableError(
        f"the arguments of a call are a list of positional ones or a map of named ones, not a {type(value).__name__}"
    )


def _load_msgpack(payload: Payload) -> Any:
    import msgpack

    def part(tag: int, body: bytes) -> Any:
        if tag != arrays.TAG:
            raise ValueError(f"extension type {tag} is unknown")
        return arrays.load_part(body, payload.buffers)

    return msgpack.unpackb(payload.data, ext_hook=part, strict_map_key=False, timestamp=3)


def _load_json(payload: Payload) -> Any:
    return json.loads(bytes(payload.data))


def _load_text(payload: Payload) -> str:
    return bytes(payload.data).decode()


_LOADERS: dict[Encoding, Callable[[Payload], Any]] = {
    Encoding.MSGPACK: _load_msgpack,
    Encoding.NDARRAY: arrays.load,
    Encoding.ARROW: tables.load,
    Encoding.JSON: _load_json,
    Encoding.TEXT: _load_text,
}
