"""Any value goes to Rust and comes back: ``proto/values/examples/echo.rs`` is the other end."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from described import describe
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from rust_examples import built

from paraply._serialize import Encoding, Payload, load_result, portable


class Rust:
    """The echo, one payload at a time."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def answer(self, payload: Payload) -> tuple[int, list[bytes]]:
        """The encoding and the parts of the answer."""
        process = self._process
        assert process.stdin and process.stdout
        parts = [bytes(payload.data), *map(bytes, payload.buffers)]
        framed = b"".join(struct.pack("<i", len(part)) + part for part in parts)
        process.stdin.write(struct.pack("<ii", payload.encoding, len(parts)) + framed)
        process.stdin.flush()
        encoding, count = struct.unpack("<ii", process.stdout.read(8))
        read = process.stdout.read
        return encoding, [read(*struct.unpack("<i", read(4))) for _ in range(count)]

    def echo(self, value: Any) -> Any:
        """The value, read and written by Rust."""
        encoding, (data, *buffers) = self.answer(portable.dump(value))
        assert encoding, data
        return load_result(Payload(Encoding(encoding), data, list(buffers)))

    def close(self) -> None:
        """Ends it, which it has to do well."""
        self._process.communicate(timeout=10)
        assert self._process.returncode == 0


@pytest.fixture(scope="module")
def rust() -> Iterator[Rust]:
    program = Rust(built("echo"))
    yield program
    program.close()


zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=zones)
elements = (
    arrays.boolean_dtypes() | arrays.integer_dtypes() | arrays.unsigned_integer_dtypes() | arrays.floating_dtypes()
)
dtypes = (elements | arrays.complex_number_dtypes()).filter(lambda dtype: dtype.name not in ("float128", "complex256"))
shapes = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9)
atoms = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary(max_size=400)
    | times
    | arrays.arrays(dtypes, shapes)
)
keys = st.text() | st.integers(-(2**63), 2**64 - 1) | st.binary()
values = st.recursive(atoms, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20)


def plain(value: Any) -> Any:
    """What other languages have of it: times are in UTC, arrays in this machine's byte order and in one of two orders."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, np.ndarray):
        return value.astype(value.dtype.newbyteorder("="))
    return value


@settings(max_examples=300, deadline=None)
@given(value=values)
def test_any_value_comes_back_from_rust(rust: Rust, value: Any) -> None:
    assert describe(rust.echo(value)) == describe(plain(value))


@pytest.mark.parametrize("order", ["C", "F"])
def test_large_arrays_come_back_from_rust(rust: Rust, order: Any) -> None:
    array = np.arange(100_000.0).reshape(100, 1000).copy(order=order)
    assert describe(rust.echo(array)) == describe(array)
    assert describe(rust.echo({"a": [array, array]})) == describe({"a": [array, array]})


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=60), encoding=st.sampled_from(Encoding))
def test_noise_gets_an_answer(rust: Rust, data: bytes, encoding: Encoding) -> None:
    answer, parts = rust.answer(Payload(encoding, data))
    assert answer in set(Encoding) and parts


def test_rust_says_what_a_pickle_is(rust: Rust) -> None:
    answer, (reason,) = rust.answer(Payload(Encoding.PICKLE5, b"\x80\x05N."))
    assert answer == 0
    assert b"only Python reads it" in reason
