"""Portable values at the Python end: what they become, what stays pickled, and what an engine answers with."""

from __future__ import annotations

import collections
import enum
import subprocess
import sys
import tracemalloc
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from described import describe

from paraply import _serialize, error
from paraply._serialize import Encoding, Payload, load_arguments, load_result, portable


def sent(value: Any) -> Payload:
    """A value as it comes out at the other end."""
    payload = portable.dump(value)
    return Payload(payload.encoding, bytes(payload.data), [bytes(buffer) for buffer in payload.buffers])


def round_trip(value: Any) -> Any:
    return load_result(sent(value))


class Colour(enum.IntEnum):
    RED = 1


Pair = collections.namedtuple("Pair", ["a", "b"])

PLAIN: dict[str, tuple[Any, Any]] = {
    "tuple": ((1, (2, 3)), [1, [2, 3]]),
    "named tuple": (Pair(1, "b"), [1, "b"]),
    "range": (range(1, 6, 2), [1, 3, 5]),
    "enum": (Colour.RED, 1),
    "ordered dict": (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    "counter": (collections.Counter("aab"), {"a": 2, "b": 1}),
    "bytearray": (bytearray(b"ab"), b"ab"),
    "memoryview": (memoryview(b"ab"), b"ab"),
    "numpy float": (np.float64(1.5), 1.5),
    "numpy float32": ([np.float32(1.5)], [1.5]),
    "numpy integer": ({"n": np.uint64(2**64 - 1)}, {"n": 2**64 - 1}),
    "numpy bool": (np.True_, True),
    "numpy string": (np.str_("a"), "a"),
    "time in another zone": (
        datetime(2024, 5, 1, 12, 30, 0, 7, tzinfo=timezone(timedelta(hours=2))),
        datetime(2024, 5, 1, 10, 30, 0, 7, tzinfo=UTC),
    ),
}


@pytest.mark.parametrize("name", PLAIN)
def test_values_become_the_plain_ones_that_they_are(name: str) -> None:
    value, plain = PLAIN[name]
    assert describe(round_trip(value)) == describe(plain)


ARRAYS = {
    "large": np.arange(10000.0),
    "matrix": np.arange(6000).reshape(60, 100),
    "fortran": np.asfortranarray(np.arange(6000).reshape(60, 100)),
    "strided": np.arange(6000)[::2],
    "axes in another order": np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
    "big-endian": np.arange(5, dtype=">i4"),
    "half": np.arange(5, dtype="f2"),
    "empty": np.zeros((0, 3)),
    "scalar": np.array(3.5),
    "read-only": np.frombuffer(bytes(8000)),
}


@pytest.mark.parametrize("where", ["alone", "inside"])
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_arrive_equal_and_writable(name: str, where: str) -> None:
    array = ARRAYS[name]
    back = round_trip(array) if where == "alone" else round_trip({"a": [array]})["a"][0]
    np.testing.assert_array_equal(back, array)
    assert back.shape == array.shape and back.dtype == array.dtype.newbyteorder("=")
    before = array.copy()
    back[...] = 1
    np.testing.assert_array_equal(array, before)


def test_large_arrays_travel_beside_the_value_without_a_copy() -> None:
    array = np.zeros(1_000_000)
    tracemalloc.start()
    try:
        payload = portable.dump([array])
        buffer = bytearray(payload.buffers[0])
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        (back,) = load_result(Payload(payload.encoding, payload.data, [buffer]))
        assert tracemalloc.get_traced_memory()[1] - before < 100_000
    finally:
        tracemalloc.stop()
    array[0] = 5
    assert np.frombuffer(payload.buffers[0])[0] == 5
    assert np.shares_memory(back, np.frombuffer(buffer))


def test_tables_come_back() -> None:
    table = pa.table({"n": [1, None], "s": ["a", "b"]})
    assert round_trip(table) == table
    (batch,) = table.to_batches()
    assert round_trip(batch) == table


class Odd(dict[str, Any]):
    def values(self) -> Any:
        raise RuntimeError("no values today")


def itself() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


NOT_PORTABLE: dict[str, Any] = {
    "integer beyond 64 bits": 2**64,
    "its negative": [-(2**63) - 1],
    "set": {1},
    "complex": 1j,
    "object": object(),
    "class": int,
    "decimal": Decimal(1),
    "naive time": datetime(2024, 5, 1),
    "date": date(2024, 5, 1),
    "lone surrogate": "\ud800",
    "None as a key": {None: 1},
    "tuple as a key": [{(1, 2): 3}],
    "bool as a key": {"deep": ({True: 1},)},
    "float as a key": {1.5: 2},
    "numpy integer as a key": {np.int64(1): 2},
    "array of objects": np.array([object()]),
    "array of strings": [np.array(["a"])],
    "array of times": np.array(["2020-01-01"], dtype="M8[D]"),
    "structured array": np.zeros(2, dtype=[("a", "i4")]),
    "masked array": np.ma.masked_array([1, 2], [True, False]),
    "long double": np.longdouble(1),
    "list in itself": itself(),
    "129 lists": nested(129),
    "mapping that fails": Odd(a=1),
}


@pytest.mark.parametrize("name", NOT_PORTABLE)
def test_what_only_python_has_is_not_portable(name: str) -> None:
    with pytest.raises(portable.NotPortable):
        portable.dump(NOT_PORTABLE[name])


def test_128_lists_are_portable() -> None:
    assert round_trip(nested(128)) == nested(128)


def test_times_below_microseconds_are_cut_off() -> None:
    body = (((123_456_789) << 34) | 1_700_000_000).to_bytes(8, "big")
    found = load_result(Payload(Encoding.MSGPACK, b"\xd7\xff" + body))
    assert found == datetime.fromtimestamp(1_700_000_000, UTC) + timedelta(microseconds=123_456)


def test_a_time_that_python_does_not_have_is_unreadable() -> None:
    with pytest.raises(error.UnreadableError, match="MSGPACK"):
        load_result(Payload(Encoding.MSGPACK, b"\xc7\x0c\xff" + bytes(4) + b"\x7f" + b"\xff" * 7))


def test_a_list_is_positional_arguments_and_a_map_named_ones() -> None:
    assert load_arguments(portable.dump([1, "b"]), {}) == ((1, "b"), {})
    assert load_arguments(portable.dump({"b": 1}), {}) == ((), {"b": 1})
    assert load_arguments(Payload(Encoding.JSON, b'["a", {"b": null}]'), {}) == (("a", {"b": None}), {})
    assert load_arguments(Payload(Encoding.TEXT, b"all of it"), {}) == (("all of it",), {})
    assert load_arguments(Payload(Encoding.MSGPACK, b""), {}) == ((), {})
    (array,), _ = load_arguments(portable.dump(np.arange(3)), {})
    assert array.tolist() == [0, 1, 2]
    for neither in (1, {1: 2}, None):
        with pytest.raises(error.UnreadableError, match="a list of positional ones or a map of named ones"):
            load_arguments(portable.dump(neither), {})


def answer(function: Any, arguments: Payload) -> Payload:
    prepared = _serialize.prepare_function(_serialize.dump_function(function).payload)
    return _serialize.run(prepared, arguments, {}, 0)


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        (1, "MSGPACK"),
        ({"a": [1]}, "MSGPACK"),
        ("text", "MSGPACK"),
        (np.arange(3), "NDARRAY"),
        (pa.table({"n": [1]}), "ARROW"),
    ],
    ids=str,
)
def test_who_asks_portably_is_answered_portably(value: Any, encoding: str) -> None:
    def give() -> Any:
        return value

    for arguments in (portable.dump([]), Payload(Encoding.MSGPACK, b"")):
        result = answer(give, arguments)
        assert result.encoding.name == encoding
        assert np.all(load_result(result) == value)
    assert answer(give, _serialize.dump_arguments((), {})).encoding == Encoding.PICKLE5


def test_what_is_not_portable_is_pickled_all_the_same() -> None:
    result = answer(lambda: {1, 2}, portable.dump([]))
    assert result.encoding == Encoding.PICKLE5
    assert load_result(result) == {1, 2}


def test_arguments_that_were_sent_portably_are_the_tasks_own() -> None:
    def change(array: Any) -> Any:
        array += 1
        return array

    array = np.zeros(1000)
    assert load_result(answer(change, sent([array])))[0] == 1
    assert array[0] == 0


def test_a_function_in_a_portable_encoding_is_refused() -> None:
    with pytest.raises(error.UnreadableError, match="a function is pickled or named in TEXT, not MSGPACK"):
        _serialize.prepare_function(portable.dump("os:getpid"))


def test_nothing_of_it_is_imported_before_it_is_used() -> None:
    code = """
import sys
from paraply import _serialize
_serialize.load_arguments(_serialize.dump_arguments(([1, {"a": b"b"}],), {}), {})
print(sorted({"msgpack", "numpy", "pyarrow", "paraply._serialize.portable"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
