"""Values that are pickled once and sent many times."""

from __future__ import annotations

import pickle
from typing import Any

from paraply._serialize import rebuild, values
from paraply._serialize.payload import Encoding, Payload


class PrePickled:
    """A value pickled now, for use as an argument of many calls. Later changes of the value are not seen."""

    __slots__ = ("_payload", "obj")

    def __init__(self, obj: Any) -> None:
        self.obj = obj
        payload = values.dump_result(obj)
        # Its own memory: the pickle is of the value as it is now.
        payload.buffers = [bytearray(buffer) for buffer in payload.buffers]
        self._payload = payload

    def __repr__(self) -> str:
        return f"<PrePickled: {self.obj!r}>"

    def __reduce__(self) -> Any:
        payload = self._payload
        buffers = [pickle.PickleBuffer(buffer) for buffer in payload.buffers]
        return _unpack, (pickle.PickleBuffer(payload.data), buffers, payload.python_version)


def _unpack(data: Any, buffers: list[Any], python_version: str) -> Any:
    return values.load(Payload(Encoding.PICKLE5, data, buffers, python_version), rebuild.current_scope())
