"""The magics, over a view that only notes what it is asked for."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from paraply.client._activate import activate
from paraply.client.magics import parse_targets
from paraply.error import AlreadyDisplayedError, CompositeError, NoEnginesRegistered


class Result:
    """An AsyncResult of code that has run."""

    engine_id = (0, 1)

    def __init__(self, failure: Exception | None) -> None:
        self.failure = failure
        self.shown: list[Any] = []
        self.streamed = False
        self.interrupts = 0
        self.cancelled = 0

    def cancel(self) -> bool:
        self.cancelled += 1
        return True

    def wait(self, timeout: float = -1) -> bool:
        if self.interrupts:
            self.interrupts -= 1
            raise KeyboardInterrupt
        return True

    def wait_for_output(self) -> bool:
        return True

    def get(self) -> Any:
        if self.failure is not None:
            raise self.failure
        return [None]

    def stream_output(self) -> Any:
        self.streamed = True
        return contextlib.nullcontext()

    def display_outputs(self, group: str) -> None:
        self._show(group)

    def _show(self, group: str, *, streams: bool = True) -> None:
        self.shown.append((group, streams))


class View:
    """A view on engines 0 and 1 of four."""

    def __init__(self) -> None:
        self.targets: Any = [0, 1]
        self.block = True
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.results: list[Result] = []
        self.failure: Exception | None = None
        self.interrupts = 0
        self.signals: list[Any] = []
        self.client = SimpleNamespace(
            ids=[0, 1, 2, 3], send_signal=lambda sig, **where: self.signals.append((sig, where))
        )

    def execute(self, code: str, **options: Any) -> Result:
        self.calls.append((code, options))
        self.results.append(Result(self.failure))
        self.results[-1].interrupts = self.interrupts
        return self.results[-1]


@pytest.fixture
def shell(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """An IPython shell of its own."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.delenv("IPP_NONINTERACTIVE", raising=False)
    before = sys.modules["__main__"]
    hook = sys.displayhook
    made: InteractiveShell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    yield made
    made.run_cell("pass")
    InteractiveShell.clear_instance()
    sys.modules["__main__"] = before
    sys.displayhook = hook


@pytest.fixture
def view(shell: InteractiveShell) -> View:
    """The view that is active."""
    made = View()
    activate(made)  # type: ignore[arg-type]
    return made


def run(shell: InteractiveShell, cell: str) -> Any:
    outcome = shell.run_cell(cell)
    outcome.raise_error()
    return outcome.result


def test_px_runs_a_line_as_it_is(shell: InteractiveShell, view: View) -> None:
    run(shell, "a = 5")
    run(shell, "%px print('$a {a}')")
    assert view.calls == [("print('$a {a}')", {"silent": False, "targets": [0, 1], "block": False})]
    assert view.results[0].streamed
    assert view.results[0].shown == [("type", False)]


def test_cell_px_and_its_options(shell: InteractiveShell, view: View) -> None:
    run(shell, "%%px\nimport math\nmath.pi")
    assert view.calls[-1][0] == "import math\nmath.pi\n"
    run(shell, "%%px --target ::2 --no-stream --group-outputs engine\nx = 1")
    assert view.calls[-1][1]["targets"] == slice(None, None, 2)
    assert not view.results[-1].streamed
    assert view.results[-1].shown == [("engine", True)]
    run(shell, "%%px --local -t 3\nlocal_x = 1")
    assert view.calls[-1][1]["targets"] == 3
    assert shell.user_ns["local_x"] == 1
    assert view.targets == [0, 1]


def test_without_waiting_the_cell_gives_its_result(shell: InteractiveShell, view: View) -> None:
    assert run(shell, "%%px -a\nx = 1") is view.results[-1]
    run(shell, "%%px --noblock -o saved\nx = 1")
    assert shell.user_ns["saved"] is view.results[-1]
    view.block = False
    assert run(shell, "%px x = 1") is view.results[-1]
    assert run(shell, "%%px --block\nx = 1") is None


def test_verbose(shell: InteractiveShell, view: View, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "%%px --verbose\nx = 1")
    assert "Parallel execution on engine(s): [0, 1]" in capsys.readouterr().out
    run(shell, "%%px --verbose -a\nx = 1")
    assert "Async parallel execution on engine(s): [0, 1]" in capsys.readouterr().out


def test_errors_follow_the_output(shell: InteractiveShell, view: View, capsys: pytest.CaptureFixture[str]) -> None:
    view.failure = CompositeError("m", [("E", "v", "the engine's traceback", None)] * 2)
    with pytest.raises(AlreadyDisplayedError, match="2 errors"):
        run(shell, "%px x")
    assert capsys.readouterr().out.count("the engine's traceback") == 2
    assert view.results[-1].shown == [("type", False)]
    with pytest.raises(CompositeError, match="m"):
        run(shell, "%%px --no-stream\nx")
    assert view.results[-1].shown == [("type", True)]


def test_interrupt_cancels_what_the_cell_runs(
    shell: InteractiveShell, view: View, capsys: pytest.CaptureFixture[str]
) -> None:
    view.interrupts = 2
    run(shell, "%px x")
    assert view.results[-1].cancelled == 2
    assert view.signals == []
    assert "Received Keyboard Interrupt. Sending signal SIGINT to engines..." in capsys.readouterr().out
    view.interrupts = 1
    run(shell, "%%px --signal-on-interrupt 2\nx")
    assert view.results[-1].cancelled == 1


def test_interrupt_with_another_signal(shell: InteractiveShell, view: View, capsys: pytest.CaptureFixture[str]) -> None:
    view.interrupts = 1
    run(shell, "%%px --signal-on-interrupt 9\nx")
    assert view.signals[-1][0] == 9
    run(shell, "%%px --signal-on-interrupt 0\nx")
    assert len(view.signals) == 1
    assert not view.results[-1].cancelled
    assert "Sending no signal" in capsys.readouterr().out


def test_pxresult(shell: InteractiveShell, view: View) -> None:
    with pytest.raises(UsageError, match="there is no result yet"):
        run(shell, "%pxresult")
    run(shell, "%%px -a\nx = 1")
    run(shell, "%pxresult -o again --group-outputs order")
    assert view.results[-1].shown == [("order", True)]
    assert shell.user_ns["again"] is view.results[-1]


def test_pxconfig(shell: InteractiveShell, view: View) -> None:
    run(shell, "%pxconfig -t 1: --noblock --no-stream --verbose --progress-after -1 --signal-on-interrupt SIGTERM")
    assert view.targets == [1, 2, 3]
    assert view.block is False
    run(shell, "%%px --block\nx")
    assert not view.results[-1].streamed
    with pytest.raises(UsageError, match="targets are"):
        run(shell, "%pxconfig -t some")


def test_autopx(shell: InteractiveShell, view: View, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "%autopx")
    shell.run_cell("x = 1")
    view.failure = CompositeError("m", [("E", "v", None, None)])
    assert not shell.run_cell("y = 1").success
    shell.run_cell("%autopx")
    run(shell, "z = 1")
    assert [code for code, _ in view.calls] == ["x = 1", "y = 1"]
    assert "x" not in shell.user_ns
    assert shell.user_ns["z"] == 1
    printed = capsys.readouterr().out
    assert "%autopx enabled" in printed
    assert "%autopx disabled" in printed


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), NoEnginesRegistered(), IndexError("No such engine: 9")])
def test_autopx_survives_what_goes_wrong(
    shell: InteractiveShell, view: View, failure: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(shell, "%autopx")
    shown: list[BaseException | None] = []
    monkeypatch.setattr(shell, "showtraceback", lambda: shown.append(sys.exc_info()[1]))

    def fail(code: str, **options: Any) -> Any:
        raise failure

    monkeypatch.setattr(view, "execute", fail)
    outcome = shell.run_cell("x")
    shell.run_cell("%autopx")
    assert outcome.error_in_exec is failure
    assert shown == [failure]


def test_a_suffix_names_a_view(shell: InteractiveShell, view: View) -> None:
    other = View()
    activate(other, "_even")  # type: ignore[arg-type]
    run(shell, "%px_even a")
    run(shell, "%px b")
    assert [code for code, _ in other.calls] == ["a", "b"]
    assert view.calls == []


def test_outside_ipython_it_only_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    with pytest.warns(UserWarning, match="magics are for IPython"):
        activate(View())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("all", "all"),
        ("0", 0),
        ("-1", -1),
        ("0,2", [0, 2]),
        ("::2", slice(None, None, 2)),
        ("1:3", slice(1, 3)),
        (":-1", slice(None, -1)),
    ],
)
def test_targets(text: str, targets: Any) -> None:
    assert parse_targets(text) == targets
