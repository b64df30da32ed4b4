"""What goes wrong, seen from the client: one task's trouble is told clearly, and is nobody else's."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import paraply
from paraply import _serialize
from paraply.client._call import CallSpec
from paraply.error import CompositeError, RemoteError, UnpicklableError
from paraply.util import interactive


def raising(kind: type[BaseException], *args: Any) -> Any:
    @interactive
    def task() -> None:
        raise kind(*args)

    return task


def test_the_error_of_a_task(rc: paraply.Client) -> None:
    with pytest.raises(RemoteError) as caught:
        rc[1].apply_sync(lambda: 1 / 0)
    assert str(caught.value) == "[1:apply] ZeroDivisionError: division by zero"
    assert caught.value.engine_info["engine_id"] == 1
    assert isinstance(caught.value.original, ZeroDivisionError)


def test_the_traceback_begins_with_the_users_code(rc: paraply.Client) -> None:
    def inner() -> None:
        raise ValueError("here")

    with pytest.raises(RemoteError) as caught:
        rc[1].apply_sync(lambda: inner())
    assert caught.value.traceback is not None
    frames = [line for line in caught.value.traceback.splitlines() if line.startswith("  File ")]
    assert len(frames) == 2, caught.value.traceback
    assert "in inner" in frames[1]
    assert "paraply" not in caught.value.traceback.replace(str(Path(__file__)), "")


def test_errors_of_several_tasks(dview: Any) -> None:
    with pytest.raises(CompositeError) as caught:
        dview.apply_sync(lambda: 1 / 0)
    assert [info["engine_id"] for _, _, _, info in caught.value.elist] == [0, 1, 2, 3]
    with pytest.raises(RemoteError, match=r"^\[2:apply\] ZeroDivisionError"):
        caught.value.raise_exception(2)


def test_one_failing_item_of_a_map(lview: Any) -> None:
    result = lview.map(lambda x: 1 // x, [1, 0, -1])
    with pytest.raises(CompositeError):
        result.get()
    items = iter(result)
    assert next(items) == 1
    with pytest.raises(RemoteError, match="ZeroDivisionError"):
        next(items)
    got = lview.map(lambda x: 1 // x, [1, 0, -1], return_exceptions=True).get()
    assert [got[0], got[2]] == [1, -1]
    assert isinstance(got[1], RemoteError)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, BaseException])
def test_a_task_that_ends_its_program_ends_its_task(rc: paraply.Client, kind: type[BaseException]) -> None:
    with pytest.raises(RemoteError) as caught:
        rc[0].apply_sync(raising(kind, "no"))
    assert caught.value.ename == kind.__name__
    assert rc[0].apply_sync(len, "abc") == 3


def test_an_exception_whose_class_the_client_does_not_have(rc: paraply.Client) -> None:
    rc[0].execute("class Local(Exception):\n    pass", block=True)
    with pytest.raises(RemoteError, match=r"^\[0:execute\] Local: told") as caught:
        rc[0].execute("raise Local('told')", block=True)
    assert caught.value.ename == "Local"
    with pytest.raises(RemoteError, match=r"^\[0:apply\] OnlyThere: told") as caught:
        rc[0].apply_sync(raise_of_unknown_module)
    assert caught.value.original is None


@interactive
def raise_of_unknown_module() -> None:
    import sys
    import types

    module = types.ModuleType("only_there")
    sys.modules["only_there"] = module
    exec("class OnlyThere(Exception): pass", vars(module))
    raise module.OnlyThere("told")


def test_an_exception_that_cannot_be_told(rc: paraply.Client) -> None:
    @interactive
    def task() -> None:
        class Silent(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no words")

            def __reduce__(self) -> Any:
                raise RuntimeError("no pickle")

        raise Silent

    with pytest.raises(RemoteError, match="Silent: Failed to cast exception to string") as caught:
        rc[0].apply_sync(task)
    assert caught.value.original is None


class Box:
    def __init__(self) -> None:
        self.lock = threading.Lock()


def test_an_argument_that_cannot_be_pickled(dview: Any) -> None:
    with pytest.raises(UnpicklableError, match=r"^args\[0\]\.lock: cannot pickle '_thread.lock' object$"):
        dview.apply(len, Box())
    with pytest.raises(UnpicklableError, match=r"\['box'\]\.lock: cannot pickle"):
        dview.push({"box": Box()})
    assert dview.apply_sync(len, "abc") == [3] * 4


def test_a_function_that_cannot_be_pickled(dview: Any) -> None:
    lock = threading.Lock()
    with pytest.raises(UnpicklableError, match=r"closure variable lock: cannot pickle '_thread.lock' object$"):
        dview.apply(lambda: lock)


def test_a_result_that_cannot_be_pickled(rc: paraply.Client) -> None:
    with pytest.raises(RemoteError) as caught:
        rc[0].apply_sync(lambda: {"a": __import__("threading").Lock()})
    assert caught.value.ename == "UnpicklableError"
    assert caught.value.evalue == "result['a']: cannot pickle '_thread.lock' object"


def test_a_function_of_another_python(rc: paraply.Client) -> None:
    function = _serialize.dump_function(lambda: 1)
    payload = _serialize.Payload(function.payload.encoding, function.payload.data, [], "3.4")
    sent = _serialize.Function(function.digest, payload, "other")
    spec = CallSpec(work=sent, arguments=[_serialize.dump_arguments((), {})], engine_ids=[0], name="other")
    (task,) = rc._submit(spec)
    with pytest.raises(RemoteError, match=r"made by Python 3\.4, and this is Python 3\."):
        task.result()
    assert rc[0].apply_sync(len, "abc") == 3


def test_a_function_whose_module_the_engine_lacks(
    rc: paraply.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def f(): return 1")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here  # type: ignore[import-not-found]

    with pytest.raises(RemoteError, match="ModuleNotFoundError: No module named 'only_here'"):
        rc[0].apply_sync(only_here.f)


def test_no_such_engine(rc: paraply.Client) -> None:
    view = rc[:]
    for targets in (99, [0, 99]):
        with pytest.raises(IndexError, match="No such engine: 99"):
            view.pull("a", targets=targets)
    with pytest.raises(KeyError):
        rc[[0, 99]]
    with pytest.raises(TypeError):
        rc["all"]  # type: ignore[index]


def test_what_is_not_built_says_so(rc: paraply.Client) -> None:
    with pytest.raises(NotImplementedError, match="dependencies between tasks"):
        rc.load_balanced_view().set_flags(after=["x"])
    with pytest.raises(NotImplementedError, match="coalescing"):
        rc.broadcast_view(is_coalescing=True)
    with pytest.raises(NotImplementedError, match="dill"):
        rc[:].use_dill()


def test_wrong_flags(rc: paraply.Client) -> None:
    with pytest.raises(KeyError, match="no flag 'retries'"):
        rc[:].set_flags(retries=1)
    with pytest.raises(TypeError, match="retries is an int"):
        rc.load_balanced_view().set_flags(retries="1")
    with pytest.raises(ValueError, match="timeout is 0 or more"):
        rc.load_balanced_view(timeout=-1)
    with pytest.raises(AssertionError, match="must have some sequences to map onto!"):
        rc[:].map(len)
    with pytest.raises(TypeError, match="f must be callable, not int"):
        rc[:].apply(5)
    for method in (rc[:].map_sync, rc[:].map_async):
        with pytest.raises(TypeError, match="takes no `block`"):
            method(abs, [1], block=True)


def test_the_cluster_works_on_for_others(rc: paraply.Client) -> None:
    with paraply.Client() as other:
        failing = [other[:].apply_async(lambda: 1 / 0) for _ in range(50)]
        assert rc[:].map_sync(abs, range(-8, 0)) == list(range(8, 0, -1))
        other.wait(failing)
        assert not any(each.successful() for each in failing)
