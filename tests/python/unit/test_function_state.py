"""A prepared function and its tasks: nothing passes from one to the next, and nothing is kept for longer than needed."""

from __future__ import annotations

import gc
import importlib
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
from notebook import Notebook

from paraply import _serialize


def run_twice(notebook: Notebook, name: str, *args: Any) -> list[Any]:
    """The results of two tasks of one function that the engine has prepared once."""
    prepared = _serialize.prepare_function(notebook.dump(notebook[name]).payload)
    results = []
    for _ in range(2):
        with notebook._as_main(notebook.engine_main):
            result = _serialize.run(prepared, _serialize.dump_arguments(args, {}), notebook.engine, 0)
        results.append(_serialize.load_result(result))
    return results


@pytest.mark.parametrize(
    "default",
    ["helper", "Class", "(1, (helper,))", "frozenset([Class])", "lambda: None"],
)
def test_functions_and_classes_in_defaults_start_anew_for_each_task(notebook: Notebook, default: str) -> None:
    notebook.type(f"""
        def helper(): return 1
        helper.calls = 0
        class Class: calls = 0
        def task(thing={default}):
            while isinstance(thing, (tuple, frozenset)):
                thing = list(thing)[-1]
            thing.calls = getattr(thing, "calls", 0) + 1
            return thing.calls
    """)
    assert run_twice(notebook, "task") == [1, 1]


def test_what_was_imported_is_everybodys_also_as_a_default(notebook: Notebook) -> None:
    notebook.type("import os\ndef task(join=os.path.join, kind=dict, n=1): return join('a', 'b'), kind(n=n)")
    assert run_twice(notebook, "task") == [("a/b", {"n": 1})] * 2


def test_a_function_by_name_is_the_one_that_its_module_has_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    source = tmp_path / "reloaded_module.py"
    source.write_text("def f(): return 'before'")
    module = importlib.import_module("reloaded_module")
    monkeypatch.setitem(sys.modules, "reloaded_module", module)
    prepared = _serialize.prepare_function(_serialize.dump_function(module.f).payload)
    assert prepared.bind({})() == "before"
    source.write_text("def f(): return 'afterwards'")
    importlib.reload(module)
    assert prepared.bind({})() == "afterwards"


class Received(bytearray):
    """A buffer that can be watched."""


def test_received_bytes_are_let_go_before_the_function_is_called() -> None:
    sent = _serialize.dump_arguments((bytes(100_000),), {})
    buffer = Received(sent.buffers[0])
    watched, sizes = weakref.ref(buffer), []
    arguments = _serialize.Payload(sent.encoding, sent.data, [buffer], sent.python_version)
    del buffer

    def look(received: bytes) -> bool:
        gc.collect()
        sizes.append((len(received), arguments.nbytes))
        return watched() is None

    found = _serialize.run(_serialize.prepare_function(_serialize.dump_function(int).payload), _nothing(), {}, 0)
    assert _serialize.load_result(found) == 0
    globals()["look"] = look
    look.__qualname__ = "look"
    prepared = _serialize.prepare_function(_serialize.dump_function(look).payload)
    assert _serialize.load_result(_serialize.run(prepared, arguments, {}, 0)) is True
    assert sizes == [(100_000, 0)]


def _nothing() -> _serialize.Payload:
    return _serialize.dump_arguments((), {})


def test_data_that_a_function_names_is_not_kept_by_its_remembered_pickle(notebook: Notebook) -> None:
    notebook.type("""
        class Data: pass
        data = Data()
        def task(): return data, helper()
        def helper(): return data
    """)
    before = notebook.dump(notebook["task"])
    watched = weakref.ref(notebook["data"])
    notebook.type("data = 5")
    gc.collect()
    assert watched() is None
    assert notebook.dump(notebook["task"]) is before, "what does not travel does not matter"
    notebook.type("del data")
    assert notebook.dump(notebook["task"]) is before
    notebook.type("def data(): return 1")
    assert notebook.dump(notebook["task"]).digest != before.digest


FOREIGN = "factor = [2]\nunused = object()\ndef scale(x): return [part * x for part in factor] + deep()\ndef deep(): return [0]"


@pytest.mark.parametrize("name", [None, "nowhere_to_import", "<run_path>"])
def test_code_in_a_namespace_of_its_own_brings_what_it_names(notebook: Notebook, name: str | None) -> None:
    own: dict[str, Any] = {} if name is None else {"__name__": name}
    exec(FOREIGN, own)
    assert notebook.apply(own["scale"], 3) == [6, 0]
    own["factor"].append(5)
    assert notebook.apply(own["scale"], 3) == [6, 15, 0], "it changed in place: no pickle of it is remembered"
    notebook.engine["factor"] = [100]
    assert notebook.apply(own["scale"], 1) == [2, 5, 0]


def test_such_code_is_a_helper_too(notebook: Notebook) -> None:
    own: dict[str, Any] = {}
    exec(FOREIGN, own)
    vars(notebook.main)["scale"] = own["scale"]
    notebook.type("def task(x): return scale(x)")
    assert notebook.apply("task", 3) == [6, 0]
    own["factor"][0] = 7
    assert notebook.apply("task", 3) == [21, 0]
