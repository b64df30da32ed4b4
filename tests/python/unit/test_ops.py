"""What views ask of engines, run on a namespace."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from paraply import _ops, _serialize


def run(operation: Any, namespace: dict[str, Any], *args: Any) -> Any:
    """Runs an operation as an engine does: sent by name, called with the namespace first."""
    prepared = _serialize.prepare_function(_serialize.dump_function(operation).payload)
    return _serialize.load_result(_serialize.run(prepared, _serialize.dump_arguments(args, {}), namespace, 0))


def test_push_assigns_to_anything_that_can_be_assigned_to() -> None:
    namespace: dict[str, Any] = {
        "box": SimpleNamespace(inner=SimpleNamespace()),
        "table": {},
        "_value": SimpleNamespace(),
    }
    run(_ops.push, namespace, {"a": 1, "box.x": 2, "box.inner.y": 3, "table['k']": 4, "_value.z": 5})
    assert namespace["a"] == 1
    assert (namespace["box"].x, namespace["box"].inner.y) == (2, 3)
    assert namespace["table"] == {"k": 4}
    assert namespace["_value"].z == 5
    assert not any("paraply" in name for name in namespace)


def test_pull_evaluates_expressions() -> None:
    namespace: dict[str, Any] = {"a": 1, "table": [1, 2]}
    assert run(_ops.pull, namespace, "a + 1") == 2
    assert run(_ops.pull, namespace, ["a", "table[1]", "len(table)"]) == [1, 2, 2]
    with pytest.raises(NameError, match=r"^name 'b' is not defined$"):
        run(_ops.pull, namespace, "b")


def test_import() -> None:
    namespace: dict[str, Any] = {}
    run(_ops.import_module, namespace, "xml.dom")
    run(_ops.import_module, namespace, "math", ["pi", "tau"])
    assert namespace["xml"].dom
    assert namespace["tau"] == 2 * namespace["pi"]


def test_clear_keeps_what_python_needs() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__", "a": 1, "_b": 2}
    run(_ops.clear, namespace)
    assert namespace.keys() == {"__name__", "__builtins__"}


def test_clear_resets_the_shell_where_there_is_one() -> None:
    calls: list[Any] = []
    shell = SimpleNamespace(reset=lambda **options: calls.append(options))
    run(_ops.clear, {"get_ipython": lambda: shell, "a": 1})
    assert calls == [{"new_session": False}]
