"""Executed code: an IPython shell over the namespace that functions see."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from paraply._proto.common.v1 import task_pb2

DISPLAY = task_pb2.OUTPUT_KIND_DISPLAY_DATA
RESULT = task_pb2.OUTPUT_KIND_EXECUTE_RESULT
INPUT = task_pb2.OUTPUT_KIND_EXECUTE_INPUT


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A cluster whose engine has no IPython."""
    import scripted

    folder = tmp_path_factory.mktemp("plain")
    (folder / "sitecustomize.py").write_text("import sys; sys.modules['IPython'] = None")
    cluster = scripted.Scripted(folder)
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    engine = scripted.Engine(cluster, PYTHONPATH=path)
    cluster.hellos.get(timeout=scripted.PATIENCE)
    yield cluster
    engine.stop()
    cluster.server.stop(0).wait()


def test_functions_and_code_share_the_namespace(cluster: Any) -> None:
    assert cluster.run_code("answer = 42", silent=True).value == {"execution_count": None}
    assert cluster.run(lambda: sys.modules["__main__"].answer).value == 42  # type: ignore[attr-defined]


def test_a_cell_shows_its_last_value_and_counts(cluster: Any) -> None:
    first = cluster.run_code("6 * 7")
    count = first.value["execution_count"]
    result = {"data": {"text/plain": "42"}, "metadata": {}, "execution_count": count}
    assert first.records(RESULT) == [result]
    assert first.records(INPUT) == [{"code": "6 * 7", "execution_count": count}]
    assert first.outcome.records == 2
    assert cluster.run_code("_").records(RESULT)[0]["data"] == {"text/plain": "42"}
    assert cluster.run_code("1;").value["execution_count"] == count + 2


def test_silent_code_leaves_no_trace(cluster: Any) -> None:
    count = cluster.run_code("1").value["execution_count"]
    done = cluster.run_code("6 * 7", silent=True)
    assert done.value == {"execution_count": None} and done.outcome.records == 0
    assert cluster.run_code("1").value["execution_count"] == count + 1


def test_displays_are_records(cluster: Any) -> None:
    done = cluster.run_code("from IPython.display import display, HTML\ndisplay(HTML('<b>bold</b>'), 3)")
    shown = [record["data"] for record in done.records(DISPLAY)]
    assert shown[0]["text/html"] == "<b>bold</b>" and shown[1] == {"text/plain": "3"}


def test_a_function_displays_too_once_there_is_a_shell(cluster: Any) -> None:
    def show() -> None:
        from IPython.display import display

        display("hello")

    cluster.run_code("pass")
    assert cluster.run(show).records(DISPLAY)[0]["data"] == {"text/plain": "'hello'"}


def test_an_image_is_in_base64(cluster: Any) -> None:
    source = "display({'image/png': b'\\x89PNG'}, raw=True)"
    assert cluster.run_code(source).records(DISPLAY)[0]["data"] == {"image/png": "iVBORw=="}


def test_magics_shell_commands_and_await(cluster: Any) -> None:
    assert cluster.run_code("!echo from the shell").stdout == "from the shell\n"
    assert "1 loop" in cluster.run_code("%timeit -n1 -r1 pass").stdout
    done = cluster.run_code("import asyncio\nawait asyncio.sleep(0.01, 'slept')")
    assert done.records(RESULT)[0]["data"] == {"text/plain": "'slept'"}
    assert "Docstring" in cluster.run_code("len?").stdout


def test_an_error_has_the_shells_traceback_without_colour(cluster: Any) -> None:
    failure = cluster.run_code("def f():\n    return 1/0\nf()").failure
    assert (failure.kind, failure.type_name) == (task_pb2.FAILURE_KIND_EXCEPTION, "ZeroDivisionError")
    assert "----> 2     return 1/0" in failure.traceback and "\x1b" not in failure.traceback
    assert cluster.run_code("1 +").failure.type_name == "SyntaxError"
    assert cluster.run_code("import sys; sys.exit(3)").failure.type_name == "SystemExit"


def test_a_failed_cell_lets_go_of_its_variables(cluster: Any) -> None:
    failing = "class Big: pass\ndef f():\n    big = Big()\n    seen.append(weakref.ref(big))\n    1 / 0\nf()"
    cluster.run_code("import gc, sys, weakref; seen = []", silent=True)
    for source in (failing, f"class Last(Exception): pass\n{failing.replace('1 / 0', 'raise Last(big)')}"):
        assert cluster.run_code(source).failure.type_name in ("ZeroDivisionError", "Last")
    assert cluster.run_code("gc.collect(); print([ref() for ref in seen])").stdout == "[None, None]\n"
    assert cluster.run_code("print(hasattr(sys, 'last_value'))").stdout == "False\n"


def test_code_of_a_file_is_named_after_it(cluster: Any) -> None:
    failure = cluster.run_code("\ndef f():\n    1 / 0\nf()", filename="/somewhere/script.py").failure
    assert "/somewhere/script.py:3" in failure.traceback and "1 / 0" in failure.traceback
    assert "Cell In" not in failure.traceback
    assert "Cell In" in cluster.run_code("1 / 0").failure.traceback
    assert "/somewhere/script.py" in cluster.run_code("f()").failure.traceback


def test_exit_does_not_end_the_engine(cluster: Any) -> None:
    assert "exit() does not end an engine" in cluster.run_code("exit()").stderr
    assert cluster.run(int).value == 0


def test_without_ipython_code_is_executed_plainly(plain: Any) -> None:
    assert plain.run_code("answer = 6 * 7", silent=True).value == {"execution_count": None}
    done = plain.run_code("print('hi')\nanswer")
    assert done.stdout == "hi\n" and done.value == {"execution_count": 1}
    assert done.records(RESULT) == [{"data": {"text/plain": "42"}, "metadata": {}, "execution_count": 1}]
    assert plain.run_code("_ + 1").records(RESULT)[0]["data"] == {"text/plain": "43"}
    assert plain.run_code("answer", silent=True).outcome.records == 0
    slept = plain.run_code("import asyncio\nx = await asyncio.sleep(0.01, 'slept')\nx")
    assert slept.records(RESULT)[0]["data"] == {"text/plain": "'slept'"}


def test_without_ipython_tracebacks_show_the_code(plain: Any) -> None:
    failure = plain.run_code("def f():\n    return 1/0\nf()").failure
    assert "return 1/0" in failure.traceback and "paraply_engine" not in failure.traceback
    assert plain.run_code("1 +").failure.type_name == "SyntaxError"
    assert 'File "script.py", line 2' in plain.run_code("\nboom", filename="script.py").failure.traceback


@pytest.mark.parametrize("which", ["cluster", "plain"])
def test_a_value_that_no_message_holds_is_left_out_with_a_note(request: Any, which: str) -> None:
    engine = request.getfixturevalue(which)
    done = engine.run_code("'x' * 3_000_000")
    assert isinstance(done.value["execution_count"], int) and done.records(RESULT) == []
    assert "output left out" in done.stderr and "3000" in done.stderr and "524288" in done.stderr
    assert engine.run(int).value == 0


@pytest.mark.parametrize("which", ["cluster", "plain"])
def test_long_code_runs_and_its_beginning_is_shown(request: Any, which: str) -> None:
    engine = request.getfixturevalue(which)
    long = "s = '\U0001f600" + "y" * 800_000 + "'; len(s)"
    done = engine.run_code(long)
    assert done.records(RESULT)[0]["data"] == {"text/plain": "800001"}
    (shown,) = done.records(INPUT)
    assert shown["code"].startswith("s = '\U0001f600yyy") and "characters left out" in shown["code"]
