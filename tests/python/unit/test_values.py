"""Arguments and results: what arrives is equal, its own, and writable; what cannot be sent is named."""

from __future__ import annotations

import threading
import tracemalloc
from collections import namedtuple
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from notebook import Notebook

from paraply import _serialize, error
from paraply._proto.common.v1 import payload_pb2
from paraply._proto.scheduler.v1 import session_pb2
from paraply._serialize import Reference
from paraply._session import wire as session_wire


def roundtrip(value: Any) -> tuple[Any, _serialize.Payload]:
    payload = _serialize.dump_arguments((value,), {})
    wire = _serialize.Payload(
        payload.encoding, bytes(payload.data), [bytes(buffer) for buffer in payload.buffers], payload.python_version
    )
    (loaded,), kwargs = _serialize.load_arguments(wire, {})
    assert kwargs == {}
    return loaded, payload


ARRAYS = {
    "large": np.arange(10000.0),
    "small": np.arange(3),
    "empty": np.zeros((0, 3)),
    "matrix": np.arange(6000).reshape(60, 100),
    "fortran": np.asfortranarray(np.arange(6000).reshape(60, 100)),
    "strided": np.arange(6000)[::2],
    "transposed": np.arange(6000).reshape(60, 100).T,
    "structured": np.zeros(500, dtype=[("a", "i4"), ("b", "f8")]),
    "objects": np.array([1, "a", None], dtype=object),
    "scalar": np.array(3.5),
    "dates": np.array(["2020-01-01"] * 500, dtype="M8[D]"),
}


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_arrive_equal_and_writable(name: str, read_only: bool) -> None:
    array = ARRAYS[name].copy(order="K") if name not in ("strided", "transposed") else ARRAYS[name].view()
    array.flags.writeable = not read_only
    loaded, _ = roundtrip({"nested": [array]})
    loaded = loaded["nested"][0]
    assert loaded.dtype == array.dtype
    assert loaded.flags.writeable
    np.testing.assert_array_equal(loaded, array)
    before = array.copy()
    loaded[...] = 0
    np.testing.assert_array_equal(array, before)


def test_large_arrays_travel_outside_the_pickle_without_a_copy() -> None:
    array = np.arange(100000.0)
    payload = _serialize.dump_arguments((array,), {})
    assert len(payload.data) < 1000
    assert len(payload.buffers) == 1
    array[0] = 5
    assert np.frombuffer(payload.buffers[0])[0] == 5


def test_no_arguments_are_no_bytes() -> None:
    payload = _serialize.dump_arguments((), {})
    assert session_wire.argument(payload, 1000, []) == (b"\x3a\x00", 0)
    call = session_pb2.Call.FromString(b"\x3a\x00")
    assert list(call.arguments) == [payload_pb2.Payload()]
    assert _serialize.load_arguments(payload, {}) == ((), {})


def test_a_result_array_is_writable_at_the_client() -> None:
    payload = _serialize.dump_result(np.arange(10000))
    payload.buffers = [bytes(buffer) for buffer in payload.buffers]
    loaded = _serialize.load_result(payload)
    loaded += 1
    assert loaded[0] == 1


def test_a_writable_buffer_from_the_wire_is_not_copied() -> None:
    payload = _serialize.dump_result(np.arange(10000))
    memory = bytearray(payload.buffers[0])
    payload.buffers = [memory]
    loaded = _serialize.load_result(payload)
    loaded[0] = 77
    assert memory[0] == 77


@pytest.mark.parametrize("size", [10, 100000])
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_byte_strings(kind: type, size: int) -> None:
    value = kind(b"x" * size)
    for wrapped in (value, [value], (value,), {"a": value}):
        loaded, payload = roundtrip(wrapped)
        assert loaded == wrapped
        assert type(loaded) is type(wrapped)
        assert len(payload.data) < 1000
    loaded, _ = roundtrip(value)
    assert type(loaded) is kind


@pytest.mark.parametrize(
    "view",
    [
        memoryview(b"abc"),
        memoryview(bytearray(5000)),
        memoryview(np.arange(1000.0)),
        memoryview(np.arange(1000).reshape(10, 100)),
        memoryview(np.arange(1000)[::2]),
    ],
)
def test_memoryviews(view: memoryview) -> None:
    loaded, _ = roundtrip(view)
    assert isinstance(loaded, memoryview)
    assert loaded.tobytes() == view.tobytes()
    if view.contiguous:
        assert (loaded.format, loaded.shape) == (view.format, view.shape)


def test_references_are_resolved_one_level_deep() -> None:
    namespace: dict[str, Any] = {"a": 5, "b": [1]}
    payload = _serialize.dump_arguments(
        (Reference("a + 1"), [Reference("a"), [Reference("a")]], (Reference("b"),)), {"k": {"x": Reference("a")}}
    )
    (one, listed, tupled), kwargs = _serialize.load_arguments(payload, namespace)
    assert one == 6
    assert listed[0] == 5
    assert isinstance(listed[1][0], Reference)
    assert tupled[0] is namespace["b"]
    assert kwargs == {"k": {"x": 5}}
    with pytest.raises(TypeError, match="made from a name, not from int"):
        Reference(5)  # type: ignore[arg-type]


def test_a_reference_is_a_function_too(notebook: Notebook) -> None:
    notebook.engine["f"] = lambda x: x * 2
    assert notebook.apply(Reference("f"), 4) == 8


def test_arguments_stay_what_they_are() -> None:
    Point = namedtuple("Point", "x y")
    globals()["Point"] = Point
    Point.__qualname__ = "Point"
    value = [1, "a", None, {"k": (1, 2.5)}, {3}, Point(1, 2), range(3), slice(1, 2), ...]
    loaded, _ = roundtrip(value)
    assert loaded == value
    assert type(loaded[5]) is Point


@dataclass
class Box:
    lock: Any = field(default_factory=threading.Lock)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((Box(),), {}, r"^args\[0\]\.lock: cannot pickle '_thread.lock' object$"),
        ((1, [2, {"k": Box()}]), {}, r"^args\[1\]\[1\]\['k'\]\.lock: cannot pickle '_thread.lock' object$"),
        ((), {"box": Box()}, r"^box\.lock: cannot pickle '_thread.lock' object$"),
        ((threading.Lock(),), {}, r"^args\[0\]: cannot pickle '_thread.lock' object$"),
        ((x for x in ()), {}, None),
    ],
)
def test_the_error_names_what_cannot_be_sent(args: Any, kwargs: dict[str, Any], message: str | None) -> None:
    if message is None:
        args, message = (args,), r"^args\[0\]: cannot pickle 'generator' object$"
    with pytest.raises(error.UnpicklableError, match=message):
        _serialize.dump_arguments(args, kwargs)


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


def test_an_error_is_given_whatever_the_parts_do() -> None:
    lock = threading.Lock()
    with pytest.raises(error.UnpicklableError, match=r"^args\[0\]\[<Unspeakable>\]: cannot pickle '_thread.lock'"):
        _serialize.dump_arguments(({Unspeakable(): lock},), {})
    long = "k" * 1000
    with pytest.raises(error.UnpicklableError, match=r"k\.\.\.k+'\]: cannot pickle") as caught:
        _serialize.dump_arguments(({long: lock},), {})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("depth", [100_000, 900])
def test_deep_nesting_is_named_as_such(depth: int) -> None:
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    if depth == 900:
        nested = [nested, threading.Lock()]
    with pytest.raises(error.UnpicklableError, match=r"\]: it is nested too deeply") as caught:
        _serialize.dump_result(nested)
    assert len(str(caught.value)) < 1000
    while nested:  # freed level by level
        nested = nested.pop(0)


def test_an_error_does_not_copy_the_arrays_on_the_way_to_it() -> None:
    arrays = [np.zeros(1_000_000) for _ in range(4)]
    tracemalloc.start()
    try:
        with pytest.raises(error.UnpicklableError, match=r"args\[0\]\[4\]"):
            _serialize.dump_arguments(([*arrays, threading.Lock()],), {})
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < arrays[0].nbytes


@pytest.mark.parametrize("read_only", [False, True])
def test_of_very_many_arrays_only_so_many_travel_by_themselves(read_only: bool) -> None:
    arrays = [np.full(300, n) for n in range(1000)] + [np.full(20_000, n) for n in range(3)]
    for array in arrays:
        array.flags.writeable = not read_only
    loaded, payload = roundtrip(arrays)
    assert len(payload.buffers) == 256 + 3
    for array, arrived in zip(arrays, loaded, strict=True):
        np.testing.assert_array_equal(array, arrived)
        assert arrived.flags.writeable


def test_read_only_arrays_beside_something_prepickled() -> None:
    one, other = np.arange(1000.0), np.arange(1000.0) * 2
    one.flags.writeable = other.flags.writeable = False
    (first, inner, second), _ = roundtrip((one, _serialize.PrePickled([other]), other))
    np.testing.assert_array_equal(first, one)
    np.testing.assert_array_equal(inner[0], other)
    np.testing.assert_array_equal(second, other)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "def make():\n  lock = threading.Lock()\n  return lambda: lock\ntask = make()",
            "closure variable lock: cannot",
        ),
        ("def task(x=threading.Lock()): pass", r"task: default\[0\]: cannot pickle '_thread.lock'"),
        (
            "def make(lock):\n  return lambda: lock\nhelper = make(threading.Lock())\ndef task(): helper()",
            "task: global helper: closure",
        ),
        ("class A: lock = threading.Lock()\ndef task(): A", "task: global A.lock: cannot pickle"),
    ],
)
def test_the_error_names_what_in_a_function_cannot_be_sent(notebook: Notebook, source: str, message: str) -> None:
    notebook.type(f"import threading\n{source}")
    with pytest.raises(error.UnpicklableError, match=message):
        notebook.dump(notebook["task"])


def test_a_result_that_cannot_be_sent() -> None:
    with pytest.raises(error.UnpicklableError, match=r"^result\['a'\]: cannot pickle '_thread.lock' object"):
        _serialize.dump_result({"a": threading.Lock()})


def test_what_is_no_function() -> None:
    with pytest.raises(TypeError, match="f must be callable, not int: 5"):
        _serialize.dump_function(5)  # type: ignore[arg-type]


class Picky(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__("message")


def test_exceptions() -> None:
    payload = _serialize.dump_exception(ValueError("a", 1))
    assert payload is not None
    loaded = _serialize.load_exception(payload)
    assert isinstance(loaded, ValueError)
    assert loaded.args == ("a", 1)
    assert _serialize.dump_exception(Picky(1, 2)) is None
    failure = ValueError()
    failure.lock = threading.Lock()  # type: ignore[attr-defined]
    assert _serialize.dump_exception(failure) is None


def test_an_exception_of_an_unknown_class_is_none() -> None:
    payload = _serialize.dump_exception(Picky.__mro__[1]("a"))
    assert payload is not None
    payload.data = bytes(payload.data).replace(b"builtins", b"nowhere_")
    assert _serialize.load_exception(payload) is None


def test_an_encoding_that_is_not_read_is_named() -> None:
    payload = _serialize.Payload(_serialize.Encoding.UNSPECIFIED, b"x")
    with pytest.raises(error.UnreadableError, match=r"UNSPECIFIED.* which this end does not read"):
        _serialize.load_result(payload)


def test_prepickled_is_the_value_as_it_was(notebook: Notebook) -> None:
    notebook.type("def total(array, f): return f(array.sum())\ndef f(x): return x * 2")
    array = np.ones(5000)
    once, function = _serialize.PrePickled(array), _serialize.PrePickled(notebook["total"])
    array[:] = 0
    with notebook._as_main(notebook.main):
        helper = _serialize.PrePickled(notebook["f"])
    for _ in range(2):
        assert notebook.apply(function, once, helper) == 10000
