"""The IPython shell of an engine: magics, displays, `!cmd` and top-level await, in the namespace that is there."""

from __future__ import annotations

import sys
from typing import Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from paraply_engine._child import fail
from paraply_engine._failure import EXCEPTION, Failure
from paraply_engine._records import DISPLAY_DATA, EXECUTE_RESULT, emit, emit_input


class EngineDisplayHook(DisplayHook):
    """Sends the value of a last expression instead of printing it."""

    _content: dict[str, Any]

    def start_displayhook(self) -> None:
        """A value follows."""
        self._content = {"data": {}, "metadata": {}, "execution_count": self.prompt_count}

    def write_output_prompt(self) -> None:
        """The client has its own prompts."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        """Keeps what the value looks like."""
        self._content.update(data=format_dict, metadata=md_dict or {})

    def finish_displayhook(self) -> None:
        """Sends it."""
        if self._content["data"]:
            emit(EXECUTE_RESULT, self._content)


class EngineDisplayPublisher(DisplayPublisher):
    """Sends displays instead of printing them."""

    def publish(  # type: ignore[no-untyped-def]
        self, data, metadata=None, source=None, *, transient=None, update=False, **kwargs
    ) -> None:
        """Sends one display."""
        emit(DISPLAY_DATA, {"data": data, "metadata": metadata or {}, "transient": transient or {}})

    def clear_output(self, wait: bool = False) -> None:
        """What was sent is sent."""


class EngineCompiler(CachingCompiler):
    """Compiles what came from a file under the file's name."""

    #: The file that the code about to run came from, if it did.
    filename = ""

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        """The name that tracebacks have."""
        return self.filename or super().get_code_name(raw_code, transformed_code, number)

    def cache(self, transformed_code: str, number: int = 0, raw_code: str | None = None) -> str:
        """Keeps the source for tracebacks. A file is not called a cell there."""
        name = super().cache(transformed_code, number, raw_code)
        if self.filename:
            self._filename_map.pop(name, None)
        return name


class EngineShell(InteractiveShell):
    """A shell without a terminal."""

    displayhook_class = Type(EngineDisplayHook)
    display_pub_class = Type(EngineDisplayPublisher)
    compiler_class = Type(EngineCompiler)

    #: `!cmd` writes where everything else does, without a terminal in between.
    system = InteractiveShell.system_raw

    #: The traceback of the execution under way, once there is one.
    rendered: str | None = None

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        self.rendered = "\n".join(stb)

    def ask_exit(self) -> None:
        """`exit()` in a cell."""
        print("exit() does not end an engine: use Client.shutdown()", file=sys.stderr)


class ShellExecutor:
    """Executes in an `EngineShell` whose namespace is that of the `__main__` module."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        config = Config()
        # No database, and so no thread and no file: history is in memory.
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        config.InteractiveShell.banner1 = ""
        module = sys.modules["__main__"]
        shell: Any = EngineShell.instance(config=config, user_module=module, user_ns=namespace)
        shell.set_hook("show_in_pager", _page, 0)
        self._shell = shell

    def execute(self, source: str, silent: bool, filename: str) -> int | Failure | None:
        """See `paraply_engine._execute.Executor.execute`."""
        shell = self._shell
        count = None if silent else shell.execution_count
        if count is not None:
            emit_input(source, count)
        shell.rendered, shell.compile.filename = None, filename
        try:
            result = shell.run_cell(source, store_history=not silent, silent=silent)
        finally:
            shell.compile.filename = ""
        error = result.error_before_exec or result.error_in_exec
        if error is None:
            return count
        try:
            return fail(error, EXCEPTION, rendered=shell.rendered)
        finally:
            self._forget_error()

    def _forget_error(self) -> None:
        """Lets go of the frames of a cell that failed, and of what is in them: there is no debugger to look at them."""
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            vars(sys).pop(name, None)
        result = self._shell.last_execution_result
        if result is not None:
            result.error_before_exec = result.error_in_exec = None
        self._shell.InteractiveTB.tb = None


def _page(shell: InteractiveShell, data: Any, start: int = 0, screen_lines: int = 0, pager_cmd: Any = None) -> None:
    """What would go to a pager (`name?`) is printed."""
    print(data.get("text/plain", "") if isinstance(data, dict) else data)
