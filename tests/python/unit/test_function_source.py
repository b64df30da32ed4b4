"""Functions that come as source, as clients in other languages send them."""

from __future__ import annotations

from typing import Any

import pytest

import paraply
from paraply import _serialize
from paraply._serialize import Encoding, Payload
from paraply._serialize.source import is_source


def call(source: str, namespace: dict[str, Any], *args: Any, times: int = 1) -> list[Any]:
    prepared = _serialize.prepare_function(Payload(Encoding.TEXT, source.encode()))
    results = []
    for _ in range(times):
        result = _serialize.run(prepared, _serialize.dump_arguments(args, {}), namespace, 0)
        results.append(_serialize.load_result(result))
    return results


def test_a_lambda_and_a_definition_are_called() -> None:
    assert call("lambda x: x ** 3\n", {}, 3) == [27]
    assert call("def mean(values):\n    import statistics\n    return statistics.fmean(values)\n", {}, [1, 2]) == [1.5]
    with pytest.raises(paraply.error.UnreadableError, match="2 statements"):
        call("import functools\ndef f(): return 1\n", {})


def test_its_globals_are_the_engines_namespace_and_it_leaves_nothing_there() -> None:
    namespace: dict[str, Any] = {"factor": 10}
    assert call("def scaled(x):\n    return factor * x\n", namespace, 4) == [40]
    assert "scaled" not in namespace
    call("def keep(x):\n    global kept\n    kept = x\n", namespace, 5)
    assert namespace["kept"] == 5


def test_no_state_passes_from_one_task_to_the_next() -> None:
    assert call("def f(seen=[]):\n    seen.append(1)\n    return len(seen)\n", {}, times=2) == [1, 1]


@pytest.mark.parametrize("source", ["1 +\n", "x = lambda: 1\n", "def f(:\n", "\n", "class C: pass\n"])
def test_what_is_no_function_is_refused(source: str) -> None:
    with pytest.raises(paraply.error.UnreadableError, match="source of"):
        call(source, {})


def test_a_name_is_still_a_name() -> None:
    assert call("math:sqrt", {}, 4.0) == [2.0]


def test_an_expression_is_read_when_its_task_runs() -> None:
    namespace: dict[str, Any] = {}
    prepared = _serialize.prepare_function(Payload(Encoding.TEXT, b"state * 2"))
    with pytest.raises(NameError, match="state"):
        _serialize.run(prepared, _serialize.dump_arguments((), {}), namespace, 0)
    namespace["state"] = 21
    result = _serialize.run(prepared, _serialize.dump_arguments((), {}), namespace, 0)
    assert _serialize.load_result(result) == 42


@pytest.mark.parametrize(
    ("text", "args", "result"),
    [
        ("sum", ([1, 2],), 3),
        ("2 ** 10", (), 1024),
        ("lambda:3", (), 3),
        ("lambda x:x", (7,), 7),
        ("{1:2}", (), {1: 2}),
        ("[0, 1, 2][1:]", (), [1, 2]),
        (" (1 +\n1) ", (), 2),
        ("str.upper", ("a",), "A"),
    ],
)
def test_what_is_no_name_is_an_expression(text: str, args: tuple[Any, ...], result: Any) -> None:
    assert call(text, {}, *args) == [result]


def test_a_value_takes_no_arguments() -> None:
    with pytest.raises(TypeError, match="cannot be called with arguments: it is a int"):
        call("1 + 1", {}, 3)


@pytest.mark.parametrize("text", ["math:", "a-b.c:d", ":simulate", "os:path.join", "ä.b:ç"])
def test_names(text: str) -> None:
    assert not is_source(text)
