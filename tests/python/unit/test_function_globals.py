"""Functions see the engine's namespace; what it lacks travels with them (docs/adr)."""

from __future__ import annotations

import functools

import pytest
from notebook import Notebook

from paraply.util import interactive


def test_reads_and_writes_the_engines_variables(notebook: Notebook) -> None:
    notebook.engine["a"] = 5
    notebook.type("""
        a = "the client's"
        def read(x): return a * x
        def write(x):
            global a
            a = x
    """)
    assert notebook.apply("read", 3) == 15
    notebook.apply("write", 7)
    assert notebook.engine["a"] == 7
    assert notebook["a"] == "the client's"


def test_data_does_not_travel_and_the_error_says_what_to_do(notebook: Notebook) -> None:
    notebook.type("a = 5\ndef read(): return a")
    with pytest.raises(NameError, match=r"name 'a' is not defined on engine 3: push it .*view\.push\(\{'a': a\}\)"):
        notebook.apply("read")


def test_helpers_travel_and_are_not_written_into_the_namespace(notebook: Notebook) -> None:
    notebook.type("""
        import math as m
        def inner(x): return m.sqrt(x)
        def outer(x): return inner(x) + 1
        def task(xs): return [outer(x) for x in xs]
    """)
    before = dict(notebook.engine)
    assert notebook.apply("task", [1, 4]) == [2.0, 3.0]
    assert notebook.engine.keys() - before.keys() <= {"__builtins__"}


def test_the_helper_that_was_edited_is_the_one_that_runs(notebook: Notebook) -> None:
    notebook.type("def helper(): return 1\ndef task(): return helper()")
    assert notebook.apply("task") == 1
    notebook.type("def helper(): return 2")
    assert notebook.apply("task") == 2
    notebook.type("def helper(): return deeper()\ndef deeper(): return 3")
    assert notebook.apply("task") == 3
    notebook.type("def deeper(): return 4")
    assert notebook.apply("task") == 4


def test_a_helper_that_was_data_and_becomes_a_function_travels(notebook: Notebook) -> None:
    notebook.type("helper = 1\ndef task(): return helper()")
    with pytest.raises(NameError):
        notebook.apply("task")
    notebook.type("def helper(): return 2")
    assert notebook.apply("task") == 2


def test_the_engines_own_name_wins(notebook: Notebook) -> None:
    notebook.engine["helper"] = lambda: "engine"
    notebook.type("def helper(): return 'client'\ndef task(): return [helper() for _ in range(1)]")
    assert notebook.apply("task") == ["engine"]


def test_a_helper_named_like_a_builtin(notebook: Notebook) -> None:
    notebook.type("""
        from math import prod as sum
        def len(x): return 'mine'
        def task(xs): return sum(xs), len(xs), max(xs)
    """)
    assert notebook.apply("task", [2, 3, 4]) == (24, "mine", 4)


def test_recursion_directly_and_through_one_another(notebook: Notebook) -> None:
    notebook.type("""
        def factorial(n): return n * factorial(n - 1) if n else 1
        def even(n): return n == 0 or odd(n - 1)
        def odd(n): return n != 0 and even(n - 1)
    """)
    assert notebook.apply("factorial", 5) == 120
    assert notebook.apply("even", 10) is True


def test_nested_functions_generators_and_class_bodies_see_helpers(notebook: Notebook) -> None:
    notebook.type("""
        def helper(x): return x + 1
        def task(x):
            class Local:
                value = helper(x)
                def method(self): return helper(self.value)
            def nested():
                yield helper(x)
                yield from (helper(y) for y in range(2))
            return Local().method(), list(nested()), (lambda: helper(10))(), eval("helper(20)")
    """)
    assert notebook.apply("task", 1) == (3, [2, 1, 2], 11, 21)


def test_a_function_argument_brings_its_own_helpers(notebook: Notebook) -> None:
    notebook.type("""
        def helper(x): return x * 10
        def add(x, y): return sum([helper(z) for z in (x, y)]) if x < 10 else x + helper(y)
    """)
    assert notebook.apply(functools.reduce, notebook["add"], [1, 2, 3]) == 60


def test_classes_with_methods_super_and_properties(notebook: Notebook) -> None:
    notebook.type("""
        import enum
        def helper(x): return x * 2
        class Base:
            def __init__(self, x): self.x = x
            def double(self): return helper(self.x)
        class Child(Base):
            limit = 3
            def __init__(self, x): super().__init__(x + 1)
            def double(self): return [super(Child, self).double() for _ in range(1)][0] + self.one
            @property
            def one(self): return 1
            @classmethod
            def make(cls, x): return cls(x)
            @staticmethod
            def nothing(): return None
        class Colour(enum.Enum):
            RED = 1
        def task(x): return Child.make(x).double(), Child.nothing(), Colour.RED.name
        def make(x): return Child(x)
        def method(child): return child.double()
    """)
    assert notebook.apply("task", 1) == (5, None, "RED")
    child = notebook.apply("make", 1)
    assert type(child) is notebook["Child"]
    assert child.x == 2
    assert notebook.apply("method", child) == 5
    assert notebook.apply(child.double) == 5


def test_an_edited_class_is_the_one_that_runs(notebook: Notebook) -> None:
    notebook.type("class A:\n    def f(self): return 1\ndef task(): return A().f()")
    assert notebook.apply("task") == 1
    notebook.type("class A:\n    def f(self): return 2")
    assert notebook.apply("task") == 2
    notebook.type("A.f = lambda self: 3")
    assert notebook.apply("task") == 3


def test_an_instance_of_a_class_that_the_engine_has_is_one_of_the_engines(notebook: Notebook) -> None:
    source = "class Point:\n    def __init__(self, x): self.x = x"
    notebook.type(source + "\npoint = Point(1)\ndef check(p): return isinstance(p, Point), p.x")
    with notebook._as_main(notebook.engine_main):
        exec(source, notebook.engine)
    assert notebook.apply("check", notebook["point"]) == (True, 1)


def test_decorators(notebook: Notebook) -> None:
    notebook.type("""
        import functools
        def twice(f):
            @functools.wraps(f)
            def wrapper(*args): return f(*args) * 2
            return wrapper
        @twice
        def task(x): return helper(x)
        @functools.lru_cache(maxsize=7)
        def helper(x): return x + 1
        partial = functools.partial(task)
        def through(x): return partial(x)
    """)
    assert notebook.apply("task", 1) == 4
    assert notebook.apply("through", 1) == 4
    assert notebook.apply("partial", 1) == 4
    assert notebook.apply("helper", 1) == 2


def test_closures_share_cells_and_start_anew_for_each_task(notebook: Notebook) -> None:
    notebook.type("""
        def counter():
            count, seen = 0, []
            def add(x):
                nonlocal count
                count += 1
                seen.append(x)
                return count, read(), list(seen)
            def read(): return count
            return add
        add = counter()
    """)
    assert notebook.apply("add", 1) == (1, 1, [1])
    assert notebook.apply("add", 2) == (1, 1, [2])
    notebook["add"](0)
    assert notebook.apply("add", 3) == (2, 2, [0, 3])


def test_mutable_defaults_start_anew_for_each_task(notebook: Notebook) -> None:
    notebook.type("def task(x, seen=[], *, more={}):\n    seen.append(x); more[x] = 1\n    return seen, len(more)")
    sent = notebook.dump(notebook["task"])
    assert notebook.apply("task", 1) == ([1], 1)
    assert notebook.apply("task", 2) == ([2], 1)
    assert notebook.dump(notebook["task"]).digest == sent.digest
    notebook["task"].__defaults__[0].append(0)
    assert notebook.apply("task", 3) == ([0, 3], 1)


def test_attributes_of_a_function_start_anew_for_each_task(notebook: Notebook) -> None:
    notebook.type("def task():\n    task.calls = getattr(task, 'calls', 0) + 1\n    return task.calls")
    assert notebook.apply("task") == 1
    assert notebook.apply("task") == 1


def test_keyword_defaults_annotations_docstring_and_name(notebook: Notebook) -> None:
    notebook.type("""
        def task(x: int, *, y: float = 2.5) -> str:
            'Says what.'
            return task.__doc__, task.__annotations__, task.__name__, task.__qualname__, task.__module__, y
    """)
    annotations = {"x": int, "y": float, "return": str}
    assert notebook.apply("task", 1) == ("Says what.", annotations, "task", "task", "__main__", 2.5)


def test_a_module_alias_and_its_submodules(notebook: Notebook) -> None:
    notebook.type("""
        import xml.etree.ElementTree
        import numpy as np
        def parse(text): return xml.etree.ElementTree.fromstring(text).tag
        def total(values): return float(np.linalg.norm(values))
    """)
    assert notebook.apply("parse", "<a/>") == "a"
    assert notebook.apply("total", [3.0, 4.0]) == 5.0


def test_a_helper_that_the_engine_cannot_import_fails_only_when_used(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys
    import types

    module = types.ModuleType("only_here")
    monkeypatch.setitem(sys.modules, "only_here", module)
    notebook.type("import only_here\ndef task(use):\n    return only_here.x if use else 1")
    sent = notebook.dump(notebook["task"])
    monkeypatch.delitem(sys.modules, "only_here")
    from paraply import _serialize

    def run(use: bool) -> object:
        arguments = _serialize.dump_arguments((use,), {})
        return _serialize.load_result(
            _serialize.run(_serialize.prepare_function(sent.payload), arguments, notebook.engine, 0)
        )

    assert run(False) == 1
    with pytest.raises(NameError, match="on engine 0: it could not be sent along: No module named 'only_here'"):
        run(True)
    notebook.engine["only_here"] = types.SimpleNamespace(x="the engine's")
    assert run(True) == "the engine's"


def test_a_function_that_a_task_stores_works_later(notebook: Notebook) -> None:
    notebook.type("""
        def helper(x): return x + 1
        def define():
            global later
            def later(x): return helper(x)
        def call(x): return later(x)
    """)
    notebook.apply("define")
    assert notebook.apply("call", 1) == 2


def test_helpers_come_back_with_a_function_that_an_engine_returns(notebook: Notebook) -> None:
    notebook.type("""
        def helper(x): return x + 1
        def inner(x): return helper(x)
        def task(): return inner
    """)
    returned = notebook.apply("task")
    assert returned(1) == 2
    assert returned.__globals__ is vars(notebook.main)


def test_builtins_of_the_namespace_are_back_after_the_call_and_after_an_error(notebook: Notebook) -> None:
    notebook.engine["__builtins__"] = before = __builtins__
    notebook.type("def helper(): return 1 / 0\ndef task(): return helper()")
    with pytest.raises(ZeroDivisionError):
        notebook.apply("task")
    assert notebook.engine["__builtins__"] is before


def test_a_wrapper_from_a_library_keeps_the_librarys_globals(notebook: Notebook) -> None:
    notebook.type(
        "import contextlib\n@contextlib.contextmanager\ndef opened(): yield 1\ndef task():\n    with opened() as x: return x"
    )
    assert notebook.apply("task") == 1


def test_lambda_of_a_module_that_the_engine_does_not_have(notebook: Notebook) -> None:
    assert notebook.apply(lambda x: x + 1, 1) == 2


@interactive
def interactive_task(x: int) -> tuple[int, int]:
    return a * x, interactive_helper(x)  # type: ignore[name-defined]  # noqa: F821  # `a` is the engine's


def interactive_helper(x: int) -> int:
    return -x


def test_interactive_function_of_a_module(notebook: Notebook) -> None:
    notebook.engine["a"] = 5
    assert notebook.apply(interactive_task, 2) == (10, -2)
