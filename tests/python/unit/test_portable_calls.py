"""Arguments of portable calls: how they travel, and what is said of those that cannot."""

from __future__ import annotations

import threading
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from paraply import error
from paraply._serialize import Encoding, Payload, Reference, dump_arguments, load_arguments
from paraply._session import wire


def arrived(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    payload = dump_arguments(args, kwargs, portable=True)
    assert payload.encoding != Encoding.PICKLE5
    return load_arguments(Payload(payload.encoding, bytes(payload.data), [bytes(each) for each in payload.buffers]), {})


def test_positional_and_named_arguments_travel_alone_and_together() -> None:
    assert arrived() == ((), {})
    assert arrived(1, "a", (2, 3)) == ((1, "a", [2, 3]), {})
    assert arrived(a=1, b=None) == ((), {"a": 1, "b": None})
    assert arrived(1, range(3), sep=", ") == ((1, [0, 1, 2]), {"sep": ", "})
    assert arrived({"a": 1}) == (({"a": 1},), {})
    (array,), named = arrived(np.arange(5000.0), axis=np.ones(3000))
    assert array.sum() == sum(range(5000))
    assert named["axis"].sum() == 3000
    (table,), _ = arrived(pa.table({"n": [1, 2]}))
    assert table.num_rows == 2


def test_no_arguments_still_say_that_the_call_is_portable() -> None:
    field, size = wire.argument(dump_arguments((), {}, portable=True), 1000, [])
    assert (len(field) > 2, size) == (True, 0)
    assert len(wire.argument(dump_arguments((), {}), 1000, [])[0]) == 2


def test_both_kinds_can_be_said_in_json() -> None:
    assert load_arguments(Payload(Encoding.JSON, b'{"*": [1, 2], "sep": ","}'), {}) == ((1, 2), {"sep": ","})
    with pytest.raises(error.UnreadableError, match=r"'\*' names the list of positional arguments, not a int"):
        load_arguments(Payload(Encoding.JSON, b'{"*": 1}'), {})


cyclic: list[Any] = []
cyclic.append(cyclic)

CULPRITS: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "a set": ((1, {2}), {}, "args[1]: a set has no portable form"),
    "named": ((), {"lock": threading.Lock()}, "lock: a _thread.lock has no portable form"),
    "beside others": ((1,), {"to": [0, {"a": Decimal(1)}]}, "to[1]['a']: a decimal.Decimal has no portable form"),
    "large": (([2**70],), {}, "args[0][0]: an int of more than 64 bits has no portable form"),
    "key": (([{(1, 2): 3}],), {}, "args[0][0]: the key (1, 2) is a tuple"),
    "time": ((datetime(2024, 1, 1),), {}, "args[0]: a datetime without a time zone has no portable form"),
    "array": ((np.array([None]),), {}, "args[0]: an array of object has no portable form"),
    "text": (("\ud800",), {}, "args[0]: text with lone surrogates has no portable form"),
    "table": ((pa.table({"n": [1]}), 1), {}, "args[0]: a table travels as the only argument of a call"),
    "table inside": (([pa.table({"n": [1]})],), {}, "args[0][0]: a table travels as the only argument of a call"),
    "reference": ((Reference("x"),), {}, "args[0]: a paraply._serialize.reference.Reference has no portable form"),
    "function": ((len,), {}, "args[0]: a builtin_function_or_method has no portable form"),
    "cycle": ((cyclic,), {}, "it is nested more than 128 deep"),
    "star": ((), {"*": 1}, "*: no argument can have this name in a portable call"),
}


@pytest.mark.parametrize("name", CULPRITS)
def test_what_has_no_portable_form_is_named(name: str) -> None:
    args, kwargs, message = CULPRITS[name]
    with pytest.raises(error.NotPortableError) as caught:
        dump_arguments(args, kwargs, portable=True)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000
