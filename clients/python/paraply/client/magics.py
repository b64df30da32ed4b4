"""`%px`, `%%px`, `%pxresult`, `%pxconfig` and `%autopx` in IPython, for the view that was activated."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from IPython.core.magic import Magics, magics_class, no_var_expand

from paraply import error

if TYPE_CHECKING:
    from paraply.client._view_direct import DirectView
    from paraply.client.asyncresult import AsyncResult

#: More targets than this are not listed one by one.
_LISTED = 10
#: What `--signal-on-interrupt` calls the signal that interrupts Python.
_SIGINT = ("SIGINT", "2")


def _parser(name: str, *, cell: bool) -> argparse.ArgumentParser:
    """The options of `%%px`, and of `%pxconfig`, which sets them for good."""
    parser = _Parser(prog=name, add_help=False)
    parser.add_argument("-t", "--targets", help="'all', an engine's id, '0,2', or a slice of the ids as in '::2'")
    waiting = parser.add_mutually_exclusive_group()
    waiting.add_argument(
        "-b", "--block", dest="block", action="store_const", const=True, help="wait for the code to run"
    )
    waiting.add_argument("-a", "--noblock", dest="block", action="store_const", const=False, help="do not wait")
    for option in ("stream", "verbose"):
        parser.add_argument(f"--{option}", dest=option, action="store_const", const=True)
        parser.add_argument(f"--no-{option}", dest=option, action="store_const", const=False)
    parser.add_argument("--progress-after", type=float, help="seconds until a progress bar is shown; -1: never")
    parser.add_argument("--signal-on-interrupt", help="what Ctrl-C sends to the engines; 0 for nothing")
    if cell:
        parser.add_argument("--local", action="store_true", help="run the cell here as well")
        parser.add_argument("-o", "--out", help="name for the AsyncResult")
        _add_grouping(parser)
    return parser


def _add_grouping(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--group-outputs", choices=["engine", "order", "type"], default="type")
    parser.add_argument("-e", dest="group_outputs", action="store_const", const="engine")
    parser.add_argument("-r", dest="group_outputs", action="store_const", const="order")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        """Raises UsageError, which IPython shows as one line, in place of ending the program."""
        raise UsageError(f"{self.prog}: {message}")


def parse_targets(text: str) -> Any:
    """Targets as `%%px -t` has them: 'all', an id, several, or a slice of the ids."""
    text = text.strip()
    if text == "all":
        return text
    if re.fullmatch(r"-?\d*(:-?\d*){1,2}", text):
        return slice(*[int(part) if part else None for part in text.split(":")])
    try:
        ids = [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"targets are 'all', an engine's id, '0,2' or '::2', not {text!r}") from None
    return ids[0] if "," not in text else ids


@magics_class
class ParallelMagics(Magics):
    """The magics of one view.

    Args:
        shell: IPython.
        view: Where code runs.
        suffix: What the magics' names end with.
    """

    shell: Any

    def __init__(self, shell: InteractiveShell, view: DirectView, suffix: str) -> None:
        super().__init__(shell)
        self.view = view
        self.suffix = suffix
        self.stream_output = os.environ.get("IPP_NONINTERACTIVE") != "1"
        self.verbose = False
        self.progress_after = 2.0
        self.signal_on_interrupt = "SIGINT"
        self.last_result: AsyncResult | None = None
        self._run_cell: Callable[..., Any] | None = None
        end = f"_{suffix.lstrip('_')}" if suffix else ""
        self.magics = {
            "line": {
                f"px{end}": self.px,
                f"pxresult{end}": self.result,
                f"pxconfig{end}": self.pxconfig,
                f"autopx{end}": self.autopx,
            },
            "cell": {f"px{end}": self.cell_px},
        }
        if not suffix:
            self.magics["line"]["result"] = self.result

    # %px

    @no_var_expand
    def px(self, line: str) -> Any:
        """`%px code` runs one line on the engines, and shows what it prints."""
        return self._execute(line.strip())

    def cell_px(self, line: str, cell: str) -> Any:
        """`%%px [options]` runs a cell on the engines. Without waiting (`-a`) it gives the AsyncResult."""
        options = _parser("%%px", cell=True).parse_args(line.split())
        return self._execute(
            cell,
            targets=None if options.targets is None else parse_targets(options.targets),
            block=options.block,
            stream=options.stream,
            verbose=options.verbose,
            progress_after=options.progress_after,
            signal_on_interrupt=options.signal_on_interrupt,
            group=options.group_outputs,
            save_as=options.out,
            local=options.local,
        )

    def _execute(
        self,
        code: str,
        *,
        targets: Any = None,
        block: bool | None = None,
        stream: bool | None = None,
        verbose: bool | None = None,
        progress_after: float | None = None,
        signal_on_interrupt: str | None = None,
        group: str = "type",
        save_as: str | None = None,
        local: bool = False,
    ) -> Any:
        targets = self.view.targets if targets is None else targets
        block = self.view.block if block is None else block
        if self.verbose if verbose is None else verbose:
            kind = "Parallel" if block else "Async parallel"
            print(f"{kind} execution on engine(s): {_listed(targets)}")
        result = self.view.execute(code, silent=False, targets=targets, block=False)
        self.last_result = result
        if save_as:
            self.shell.user_ns[save_as] = result
        if local:
            self.shell.run_cell(code)
        if not block:
            return None if save_as else result
        self._wait(
            result,
            stream=self.stream_output if stream is None else stream,
            progress_after=self.progress_after if progress_after is None else progress_after,
            signal_on_interrupt=self.signal_on_interrupt if signal_on_interrupt is None else signal_on_interrupt,
            group=group,
        )
        return None

    def _wait(
        self, result: AsyncResult, *, stream: bool, progress_after: float, signal_on_interrupt: str, group: str
    ) -> None:
        shown = result.stream_output() if stream else contextlib.nullcontext()
        with shown:
            while True:
                try:
                    self._wait_with_progress(result, progress_after)
                    break
                except KeyboardInterrupt:
                    self._interrupt(result, signal_on_interrupt)
            result.wait_for_output()
        # What was streamed is text only: figures and the like come now, and before what went wrong.
        result._show(group, streams=not stream)
        try:
            result.get()
        except error.CompositeError as failure:
            if not stream:
                raise
            failure.print_traceback()
            raise error.AlreadyDisplayedError(failure) from None

    def _interrupt(self, result: AsyncResult, signal: str) -> None:
        """Ctrl-C. SIGINT is for what this cell runs, and not for what else the engines do; others are for the engines."""
        if signal == "0":
            print("Received Keyboard Interrupt. Sending no signal to engines: the code runs on...")
            return
        print(f"Received Keyboard Interrupt. Sending signal {signal} to engines...")
        if signal in _SIGINT:
            result.cancel()
        else:
            self.view.client.send_signal(_signal(signal), targets=result.engine_id, block=True)

    @staticmethod
    def _wait_with_progress(result: AsyncResult, progress_after: float) -> None:
        if progress_after < 0:
            result.wait()
        elif not result.wait(progress_after):
            result.wait_interactive()

    # %pxresult, %pxconfig

    def result(self, line: str = "") -> None:
        """`%pxresult [-o NAME] [--group-outputs ...]` waits for the last code that was run, and shows what it printed."""
        parser = _Parser(prog="%pxresult", add_help=False)
        parser.add_argument("-o", "--out", help="name for the AsyncResult")
        _add_grouping(parser)
        options = parser.parse_args(line.split())
        if self.last_result is None:
            raise UsageError("there is no result yet: run something with %px first")
        if options.out:
            self.shell.user_ns[options.out] = self.last_result
        self.last_result.get()
        self.last_result.wait_for_output()
        self.last_result.display_outputs(options.group_outputs)

    def pxconfig(self, line: str) -> None:
        """`%pxconfig` sets options of `%px` for good: targets, blocking, streaming, verbosity."""
        options = _parser("%pxconfig", cell=False).parse_args(line.split())
        if options.targets is not None:
            targets = parse_targets(options.targets)
            self.view.targets = self.view.client.ids[targets] if isinstance(targets, slice) else targets
        if options.block is not None:
            self.view.block = options.block
        if options.stream is not None:
            self.stream_output = options.stream
        if options.verbose is not None:
            self.verbose = options.verbose
        if options.progress_after is not None:
            self.progress_after = options.progress_after
        if options.signal_on_interrupt is not None:
            self.signal_on_interrupt = options.signal_on_interrupt

    # %autopx

    def autopx(self, line: str = "") -> None:
        """`%autopx` runs every cell from now on on the engines, until it is called again."""
        if self._run_cell is None:
            self._run_cell = self.shell.run_cell
            self.shell.run_cell = self._run_remotely
            print("%autopx enabled")
        else:
            self.shell.run_cell = self._run_cell
            self._run_cell = None
            print("%autopx disabled")

    def _run_remotely(self, raw_cell: str, *args: Any, **kwargs: Any) -> ExecutionResult:
        assert self._run_cell is not None
        first = raw_cell.strip().split(maxsplit=1)[:1]
        names = self.magics["line"]
        if first and first[0].lstrip("%") in names and (first[0].startswith("%") or "autopx" in first[0]):
            done: ExecutionResult = self._run_cell(raw_cell, *args, **kwargs)
            return done
        outcome = ExecutionResult(None)  # type: ignore[no-untyped-call]
        try:
            self._execute(raw_cell)
        except (Exception, KeyboardInterrupt) as failure:  # noqa: BLE001  # IPython ends by what is raised here
            outcome.error_in_exec = failure
            self.shell.showtraceback()
        return outcome


def _listed(targets: Any) -> str:
    if isinstance(targets, (list, tuple)) and len(targets) > _LISTED:
        return f"[{', '.join(map(str, targets[:4]))}, ..., {', '.join(map(str, targets[-4:]))}]"
    return str(targets)


def _signal(text: str) -> int | str:
    return int(text) if text.isdigit() else text
