"""Results for those who send JSON."""

from __future__ import annotations

import datetime
import json
from collections import Counter, namedtuple
from typing import Any

import numpy as np
import pytest

from paraply import _serialize
from paraply._serialize import Encoding, Payload
from paraply.error import NotJSONError

UTC = datetime.UTC


def answer(value: Any, arguments: bytes = b"") -> str:
    prepared = _serialize.prepare_function(Payload(Encoding.TEXT, b"lambda *args, **kwargs: value"))
    payload = _serialize.run(prepared, Payload(Encoding.JSON, arguments), {"value": value}, 0)
    assert payload.encoding == Encoding.JSON
    assert not payload.buffers
    return bytes(payload.data).decode()


@pytest.mark.parametrize("arguments", [b"", b"[1, 2]", b'{"x": [1]}'])
def test_json_is_answered_in_json(arguments: bytes) -> None:
    assert answer({"a": [1, 2.5, None, True, "ä"]}, arguments) == '{"a":[1,2.5,null,true,"ä"]}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**70, "1180591620717411303424"),
        ((1, (2,)), "[1,[2]]"),
        (namedtuple("P", "x y")(1, 2), "[1,2]"),
        (Counter("aab"), '{"a":2,"b":1}'),
        ({1: "a", None: "b", False: "c"}, '{"1":"a","null":"b","false":"c"}'),
        (np.float32(0.5), "0.5"),
        (np.float64(0.1), "0.1"),
        (np.int64(-3), "-3"),
        (np.bool_(True), "true"),
        (np.arange(6).reshape(2, 3), "[[0,1,2],[3,4,5]]"),
        (np.array(5), "5"),
        (np.array(["a", "b"]), '["a","b"]'),
        ({"x": [np.zeros(2), np.uint8(7)]}, '{"x":[[0.0,0.0],7]}'),
        (datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), '"2026-01-02T03:04:05+00:00"'),
        ([datetime.date(2026, 1, 2), datetime.time(3, 4)], '["2026-01-02","03:04:00"]'),
        ("", '""'),
        (None, "null"),
    ],
)
def test_what_becomes_what(value: Any, text: str) -> None:
    assert answer(value) == text
    json.loads(text)


class Loud:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def circle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "^result: JSON has no nan"),
        ({"a": [1, float("-inf")]}, r"^result\['a'\]\[1\]: JSON has no -inf"),
        (np.array([1, np.nan]), "^result: .* has no JSON form"),
        (np.longdouble(1), "^result: .*longdouble"),
        (np.array([1j]), "^result: .*ndarray"),
        ([b"bytes"], r"^result\[0\]: a value of class bytes has no JSON form"),
        ({"k": {1, 2}}, r"^result\['k'\]: a value of class set"),
        (1j, "^result: a value of class complex"),
        ({(1, 2): 3}, "^result: the keys of a JSON object are texts"),
        ({Loud(): 3}, "^result: the keys"),
        ([Loud()], r"^result\[0\]: .*Loud"),
        ("\ud800", "^result: .*surrogate"),
        (circle(), "contains itself"),
    ],
)
def test_what_has_no_json_form_is_named(value: Any, message: str) -> None:
    with pytest.raises(NotJSONError, match=message):
        answer(value)


def test_too_much_nesting_is_an_error() -> None:
    value: list[Any] = []
    for _ in range(200_000):
        value = [value]
    with pytest.raises(NotJSONError, match="nested too deep"):
        answer(value)
    while value:  # taken apart by hand: the end of a deep list is deep too
        value = value[0]
