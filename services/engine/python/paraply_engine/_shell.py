"""The IPython shell of an engine: magics, displays, `!cmd` and top-level await, in the namespace that is there."""

from __future__ import annotations

import sys
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from paraply_engine import _native
from paraply_engine._failure import Failure, describe
from paraply_engine._records import DISPLAY_DATA, EXECUTE_INPUT, EXECUTE_RESULT, as_json


def _emit(kind: int, content: dict[str, Any]) -> None:
    """Sends a record; one that is over the task's limit is left out with a note, and the code goes on."""
    try:
        _native.emit(kind, as_json(content))
    except RuntimeError as error:
        print(f"[output left out: {error}]", file=sys.stderr)


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
            _emit(EXECUTE_RESULT, self._content)


class EngineDisplayPublisher(DisplayPublisher):
    """Sends displays instead of printing them."""

    def publish(  # type: ignore[no-untyped-def]
        self, data, metadata=None, source=None, *, transient=None, update=False, **kwargs
    ) -> None:
        """Sends one display."""
        _emit(DISPLAY_DATA, {"data": data, "metadata": metadata or {}, "transient": transient or {}})

    def clear_output(self, wait: bool = False) -> None:
        """What was sent is sent."""


class EngineShell(InteractiveShell):
    """A shell without a terminal."""

    displayhook_class = Type(EngineDisplayHook)
    display_pub_class = Type(EngineDisplayPublisher)

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
        if not silent:
            _emit(EXECUTE_INPUT, {"code": source, "execution_count": count})
        shell.rendered = None
        result = shell.run_cell(source, store_history=not silent, silent=silent, cell_id=filename or None)
        error = result.error_before_exec or result.error_in_exec
        return count if error is None else describe(error, rendered=shell.rendered)


def _page(shell: InteractiveShell, data: Any, start: int = 0, screen_lines: int = 0, pager_cmd: Any = None) -> None:
    """What would go to a pager (`name?`) is printed."""
    print(data.get("text/plain", "") if isinstance(data, dict) else data)
