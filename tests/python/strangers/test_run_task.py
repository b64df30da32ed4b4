"""RunTask and RunTaskStream, as those see them who have nothing but reflection."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from home import eventually
from rust_examples import native_program
from stranger_example import EXAMPLE
from stranger_example import stranger as make

TYPED = [
    ({"function": "sum", "arguments_json": "[[1,2,3]]"}, 6),
    ({"function": "2 ** 10"}, 1024),
    ({"function": "numpy.linalg:norm", "arguments_json": "[[3, 4]]"}, 5.0),
    ({"function": "lambda x: x*2", "arguments_json": "[21]"}, 42),
    ({"function": "lambda:3"}, 3),
    (
        {"function": "def f(a, b=2):\n    import math\n    return math.hypot(a, b)\n", "arguments_json": '{"a": 1.5}'},
        2.5,
    ),
    ({"function": "dict", "arguments_json": '{"a": [1, null], "b": "ä"}'}, {"a": [1, None], "b": "ä"}),
    ({"function": "__import__('numpy').eye(2)"}, [[1.0, 0.0], [0.0, 1.0]]),
    ({"function": "print"}, None),
]


@pytest.mark.parametrize(("request_", "result"), TYPED)
def test_what_a_person_types(stranger: Any, request_: dict[str, Any], result: Any) -> None:
    answer = stranger.call("RunTask", timeout=60, **request_).result()
    assert "failure" not in answer, answer
    assert json.loads(answer["result_json"]) == result
    assert "engine_id" in answer


def test_the_namespace_of_an_engine_is_there(stranger: Any, rc: Any) -> None:
    rc[2].push({"state": [1, 2]}, block=True)
    assert stranger.run("state", engine_id=2)["result_json"] == "[1,2]"
    assert stranger.run("lambda x: state + [x]", 3, engine_id=2)["result_json"] == "[1,2,3]"
    assert stranger.run("state", engine_id=1)["failure"]["type_name"] == "NameError"


def test_a_failure_is_data_and_what_was_written_comes_too(stranger: Any) -> None:
    source = "def f():\n    import sys\n    print('out ä')\n    print('err', file=sys.stderr)\n    return 1 / 0\n"
    answer = stranger.run(source)
    failure = answer["failure"]
    assert failure["kind"] == "FAILURE_KIND_EXCEPTION"
    assert failure["type_name"] == "ZeroDivisionError"
    assert "in f" in failure["traceback"]
    assert "exception" not in failure, "only Python could read it"
    assert "result_json" not in answer
    assert answer["stdout"] == "out ä\n"
    assert answer["stderr"] == "err\n"


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        ("no_such_module:f", "FAILURE_KIND_UNREADABLE", "no_such_module"),
        ("1 +", "FAILURE_KIND_UNREADABLE", "source of the function cannot be read"),
        ("import os", "FAILURE_KIND_UNREADABLE", "one expression or one def"),
        ("{1, 2}", "FAILURE_KIND_EXCEPTION", "result: a value of class set has no JSON form"),
        ("[0, float('nan')]", "FAILURE_KIND_EXCEPTION", "result[1]: JSON has no nan"),
    ],
)
def test_what_cannot_be_is_said(stranger: Any, function: str, kind: str, words: str) -> None:
    failure = stranger.run(function)["failure"]
    assert failure["kind"] == kind
    assert words in failure["message"]


def test_large_arguments_and_results(stranger: Any) -> None:
    text = "x" * 600_000
    answer = stranger.run("lambda text: text[::-1]", text)
    assert len(json.loads(answer["result_json"])) == len(text)
    with pytest.raises(grpc.RpcError, match="RunTask answers with 786432 at most") as refused:
        stranger.run("'x' * (1 << 20)")
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_much_output_is_cut_and_counted(stranger: Any) -> None:
    answer = stranger.run("print('y' * 100_000)")
    assert answer["stdout"] == "y" * 65536
    assert int(answer["dropped_output_bytes"]) == 100_001 - 65536


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        ({"function": "sum", "arguments_json": "[1,, 2]"}, "INVALID_ARGUMENT", "arguments_json: .*line 1 column 4"),
        ({"function": "sum", "arguments_json": "3"}, "INVALID_ARGUMENT", "a list of positional arguments"),
        ({"function": ""}, "INVALID_ARGUMENT", "function: say what to run"),
        ({"function": "1", "engine_id": 4711}, "NOT_FOUND", "no engine 4711 is attached"),
    ],
)
def test_what_is_wrong_with_the_call_is_a_status(stranger: Any, request_: Any, code: str, words: str) -> None:
    with pytest.raises(grpc.RpcError, match=words) as refused:
        stranger.call("RunTask", timeout=60, **request_).result()
    assert refused.value.code() == grpc.StatusCode[code]


def test_a_wrong_token_opens_nothing(known: tuple[str, str], stranger: Any) -> None:
    stranger.metadata = [("authorization", "Bearer wrong")]
    with pytest.raises(grpc.RpcError) as refused:
        stranger.run("1")
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def labels(stranger: Any) -> set[str]:
    """Of the sessions that there are."""
    status = stranger.call("GetSchedulerStatus", with_sessions=True).result()
    return {row.get("label", "") for row in status.get("session_rows", [])}


WAITING = """def wait(begun, gate):
    import os, time
    print("begun", flush=True)
    try:
        open(begun, "w").close()
        end = time.monotonic() + 60
        while not os.path.exists(gate):
            assert time.monotonic() < end
            time.sleep(0.01)
    except KeyboardInterrupt:
        open(begun + ".interrupted", "w").close()
        raise
    return "done"
"""


def test_output_comes_while_the_task_runs(stranger: Any, tmp_path: Path) -> None:
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    arguments = json.dumps([str(begun), str(gate)])
    told = iter(stranger.call("RunTaskStream", timeout=60, function=WAITING, arguments_json=arguments))
    accepted = next(told)["accepted"]
    assert next(told)["output"] == {"kind": "OUTPUT_KIND_STDOUT", "text": "begun\n"}
    (where,) = stranger.call("GetTasks", task_ids=[accepted]).result()["tasks"]
    assert where["name"] == "def wait(begun, gate):"
    gate.touch()
    finished = next(told)["finished"]
    assert finished["result_json"] == '"done"'
    assert finished["task_id"] == accepted
    assert list(told) == []


@pytest.mark.parametrize("method", ["RunTask", "RunTaskStream"])
@pytest.mark.parametrize("how", ["cancel", "deadline", "timeout"])
def test_a_call_that_is_given_up_interrupts_its_task(stranger: Any, tmp_path: Path, how: str, method: str) -> None:
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    request: dict[str, Any] = {"function": WAITING, "arguments_json": json.dumps([str(begun), str(gate)])}
    if how == "timeout":
        request["timeout_millis"] = 5000
    call = stranger.call(method, timeout=5 if how == "deadline" else 60, **request)
    eventually(begun.exists, "the task runs")
    if how == "cancel":
        call.cancel()
    else:
        with pytest.raises(grpc.RpcError) as late:
            list(call) if method == "RunTaskStream" else call.result()
        # Of a call's own deadline the server may hear first, and the transport there says CANCELLED.
        either = {grpc.StatusCode.DEADLINE_EXCEEDED} | ({grpc.StatusCode.CANCELLED} if how == "deadline" else set())
        assert late.value.code() in either
        if how == "timeout":
            assert "had no result within 5000 ms: " in late.value.details()
    eventually(Path(f"{begun}.interrupted").exists, "the task is interrupted")
    eventually(lambda: "RunTask" not in labels(stranger), "no session is left")


def test_who_reads_slowly_gets_everything(stranger: Any, tmp_path: Path) -> None:
    written_all = tmp_path / "written"
    source = f"def write():\n    for n in range(2000):\n        print(f'{{n:999}}')\n    open({str(written_all)!r}, 'w').close()\n"
    told = stranger.call("RunTaskStream", timeout=60, function=source)
    eventually(written_all.exists, "the task is done, whoever reads what it wrote")
    events = list(told)
    written = "".join(event["output"]["text"] for event in events if "output" in event)
    assert written == "".join(f"{n:999}\n" for n in range(2000))
    assert events[-1]["finished"]["result_json"] == "null"


def test_the_example_is_no_client_of_ours(known: tuple[str, str]) -> None:
    script = (
        f"import runpy, sys; sys.argv = ['stranger.py', *sys.argv[1:]]; runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')\n"
        "assert not [name for name in sys.modules if name.partition('.')[0].startswith('paraply')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *known], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "expression: 1024\n" in done.stdout
    assert "failure:    ZeroDivisionError - division by zero\n" in done.stdout
    assert '{"output": {"kind": "OUTPUT_KIND_STDOUT", "text": "0' in done.stdout


def test_without_an_engine_a_task_waits_and_says_so(home: Any) -> None:
    home.start(0)
    stranger = stranger_of(home)
    eventually(lambda: home.status()["scheduler"], "a scheduler is there")
    with stranger.channel, pytest.raises(grpc.RpcError, match=r"no result within 500 ms: .*no engine") as late:
        stranger.run("1", timeout_millis=500)
    assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_native_function_is_called_by_the_same_rules(home: Any) -> None:
    home.start(0)
    stranger = stranger_of(home)
    with native_program(1, home.env), stranger.channel:
        eventually(lambda: len(home.status()["engines"]) == 1, "the engine is there")
        answer = stranger.run(":simulate", 1000)
        assert json.loads(answer["result_json"]) == pytest.approx(2**0.5)
        assert answer["stdout"] == "1000 steps on engine 0\n"
        named = stranger.call("RunTask", timeout=60, function=":walk", arguments_json='{"steps": 4}').result()
        assert set(json.loads(named["result_json"])) == {"end", "farthest"}
        assert stranger.run(":root", -1)["failure"]["message"] == "-1 has no real root"
        for wrong, error in ((1, "TypeError"), ([], "NotJSONError")):
            failure = stranger.run(":mean", wrong)["failure"]
            assert failure["type_name"] == error
        assert failure["message"].startswith("result: JSON has no nan")


def stranger_of(home: Any) -> Any:
    """One who knows an address of the default cluster, and its token."""
    connection = json.loads((home.folder / "home/default/default/connection.json").read_text())
    address = next(each["tcp"] for each in connection["endpoints"] if "tcp" in each)
    return make(address, connection["token"])
