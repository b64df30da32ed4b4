"""The pickle of a function is used again only while it would come out the same."""

from __future__ import annotations

import gc
import os
import random
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from notebook import Notebook

from paraply import _serialize
from paraply._serialize.payload import Encoding


def test_the_same_function_is_pickled_once(notebook: Notebook) -> None:
    notebook.type("def helper(): return 1\ndef task(x, y=(1, 'a')): return helper()")
    assert notebook.dump(notebook["task"]) is notebook.dump(notebook["task"])


def test_mapped_and_plain_are_two_functions(notebook: Notebook) -> None:
    notebook.type("def task(x): return x")
    mapped = notebook.dump(notebook["task"], mapped=True)
    assert notebook.dump(notebook["task"]).digest != mapped.digest
    assert notebook.dump(notebook["task"], mapped=True) is mapped


@pytest.mark.parametrize(
    "change",
    [
        "task.__code__ = task.__code__.replace(co_name='other')",
        "task.__defaults__ = (2,)",
        "task.__kwdefaults__ = {'y': 2}",
        "task.__kwdefaults__['y'] = 3",
        "task.attribute = 2",
        "set_cell(2)",
        "def helper(): return 2",
        "def deep(): return 2",
        "helper.__defaults__ = (2,)",
        "Class.attribute = 2",
        "Class.method = lambda self: 2",
        "class Class: pass",
        "import math as module",
        "late = len",
    ],
)
def test_a_change_is_seen(notebook: Notebook, change: str) -> None:
    notebook.type("""
        import os as module
        def make():
            cell = 1
            def task(x=1, *, y=1): return cell, helper(), Class, module, late
            def set_cell(value):
                nonlocal cell
                cell = value
            return task, set_cell
        task, set_cell = make()
        def helper(x=1): return deep()
        def deep(): return 1
        class Class:
            attribute = 1
            def method(self): return 1
    """)
    task = notebook["task"]
    before = notebook.dump(task)
    assert notebook.dump(task) is before
    notebook.type(change)
    assert notebook.dump(task).digest != before.digest


@pytest.mark.parametrize("value", ["[1]", "{'a': 1}", "{1}", "bytearray(b'a')", "(1, [2])", "numpy.zeros(3)"])
@pytest.mark.parametrize("place", ["task.__defaults__ = (v,)", "set_cell(v)", "task.attribute = v"])
def test_what_can_change_in_place_is_pickled_anew(notebook: Notebook, value: str, place: str) -> None:
    notebook.type(f"""
        import numpy
        v = {value}
        def make():
            cell = 1
            def task(x=1): return cell
            def set_cell(value):
                nonlocal cell
                cell = value
            return task, set_cell
        task, set_cell = make()
        {place}
    """)
    assert notebook.dump(notebook["task"]) is not notebook.dump(notebook["task"])


def test_functions_are_forgotten_when_many_others_came(notebook: Notebook) -> None:
    notebook.type("def task(): return task_helper()\ndef task_helper(): return task")
    notebook.dump(notebook["task"])
    watched = weakref.ref(notebook["task"])
    notebook.type("del task, task_helper\nothers = [eval('lambda: 1') for _ in range(200)]")
    for other in notebook["others"]:
        notebook.dump(other)
    gc.collect()
    assert watched() is None


@pytest.mark.parametrize(
    ("function", "spelled"),
    [
        (os.getpid, "posix:getpid"),
        (os.path.join, "posixpath:join"),
        (len, "builtins:len"),
        (str.upper, "builtins:str.upper"),
        (dict.fromkeys, "builtins:dict.fromkeys"),
        (random.random, "random:random"),
        (random.Random, "random:Random"),
        (types.FunctionType.__call__, None),
    ],
)
def test_what_both_ends_can_import_goes_by_name(function: Callable[..., Any], spelled: str | None) -> None:
    sent = _serialize.dump_function(function)
    if spelled is not None:
        assert (sent.payload.encoding, bytes(sent.payload.data).decode()) == (Encoding.TEXT, spelled)
    assert sent.payload.python_version == ""
    assert _serialize.load_function(sent.payload, {}) == function


def test_code_says_which_python_made_it(notebook: Notebook) -> None:
    notebook.type("def task(): return 1")
    sent = notebook.dump(notebook["task"])
    assert sent.payload.python_version == _serialize.PYTHON_VERSION
    sent.payload.python_version = "3.4"
    with pytest.raises(Exception, match=rf"made by Python 3\.4, and this is Python {_serialize.PYTHON_VERSION}"):
        _serialize.prepare_function(sent.payload)
    assert _serialize.dump_arguments((1,), {}).python_version == ""
    assert _serialize.dump_arguments((lambda: 1,), {}).python_version == _serialize.PYTHON_VERSION
