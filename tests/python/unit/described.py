"""Values as the vectors in ``proto/testdata/values`` describe them, in plain JSON.

Numbers are ``{"int": text}`` and ``{"float": its bytes}``; ``{"bytes": hex}``, ``{"map": [[key, value]]}``,
``{"time": [seconds, nanoseconds]}`` since 1970, ``{"array": {dtype, shape, order, elements}}`` and ``{"table": [[name,
column]]}``. All else is itself. ``proto/values/tests/described`` does the same in Rust.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def describe(value: Any) -> Any:
    """The description of a value."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return {"int": str(value)}
        case float():
            return {"float": struct.pack(">d", value).hex()}
        case bytes():
            return {"bytes": value.hex()}
        case list():
            return [describe(item) for item in value]
        case dict():
            return {"map": [[describe(key), describe(item)] for key, item in value.items()]}
        case datetime():
            since = value - EPOCH
            return {"time": [since.days * 86400 + since.seconds, since.microseconds * 1000]}
        case np.ndarray():
            assert value.flags.writeable
            order = "C" if value.flags.c_contiguous else "F"
            header = {"dtype": value.dtype.name, "shape": list(value.shape), "order": order}
            return {"array": {**header, "elements": value.tobytes(order="A").hex()}}
        case pa.Table():
            return {"table": [[name, describe(value[name].to_pylist())] for name in value.column_names]}
    raise AssertionError(f"{type(value)} is not portable")


def make(described: Any) -> Any:
    """The value of a description."""
    match described:
        case list():
            return [make(item) for item in described]
        case {"int": text}:
            return int(text)
        case {"float": text}:
            return struct.unpack(">d", bytes.fromhex(text))[0]
        case {"bytes": text}:
            return bytes.fromhex(text)
        case {"map": entries}:
            return {make(key): make(value) for key, value in entries}
        case {"time": [seconds, nanoseconds]}:
            return EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
        case {"array": {"dtype": dtype, "shape": shape, "order": order, "elements": text}}:
            return np.frombuffer(bytearray.fromhex(text), dtype).reshape(shape, order=order)
    return described
