"""Executes source code in the engine's namespace: in an IPython shell where IPython is installed, else plainly."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import inspect
import linecache
import types
from collections import deque
from typing import Any, Protocol

from paraply_engine._failure import Failure
from paraply_engine._records import EXECUTE_RESULT, emit, emit_input

_REMEMBERED_SOURCES = 256


class Executor(Protocol):
    """What executes source code."""

    def execute(self, source: str, silent: bool, filename: str) -> int | Failure | None:
        """Executes; returns the execution count (None if silent). Failures are raised, or returned if rendered."""


def make_executor(namespace: dict[str, Any]) -> Executor:
    """The best executor there is. IPython is imported here: an engine that never executes code never pays for it."""
    if importlib.util.find_spec("IPython") is None:
        return PlainExecutor(namespace)
    from paraply_engine._shell import ShellExecutor

    return ShellExecutor(namespace)


class PlainExecutor:
    """Plain `exec`, with the value of a last expression shown, and with top-level `await`."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._count = 0
        self._sources: deque[str] = deque()

    def execute(self, source: str, silent: bool, filename: str) -> int | None:
        """See `Executor.execute`."""
        if silent:
            self._run(source, filename or self._remember(source), shown=None)
            return None
        self._count += 1
        emit_input(source, self._count)
        self._run(source, filename or self._remember(source), shown=self._count)
        return self._count

    def _run(self, source: str, filename: str, shown: int | None) -> None:
        tree = ast.parse(source, filename)
        last = tree.body.pop() if shown is not None and tree.body and isinstance(tree.body[-1], ast.Expr) else None
        self._evaluate(tree, filename, "exec")
        if not isinstance(last, ast.Expr):
            return
        value = self._evaluate(ast.Expression(last.value), filename, "eval")
        if value is not None:
            self._namespace["_"] = value
            emit(EXECUTE_RESULT, {"data": {"text/plain": repr(value)}, "metadata": {}, "execution_count": shown})

    def _evaluate(self, tree: ast.Module | ast.Expression, filename: str, mode: str) -> Any:
        code: types.CodeType = compile(tree, filename, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        value = eval(code, self._namespace)
        if code.co_flags & inspect.CO_COROUTINE:
            return asyncio.run(value)
        return value

    def _remember(self, source: str) -> str:
        """A name under which tracebacks find the source, for the last few sources."""
        filename = f"<executed {self._count}.{len(source)}.{id(source)}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        self._sources.append(filename)
        if len(self._sources) > _REMEMBERED_SOURCES:
            linecache.cache.pop(self._sources.popleft(), None)
        return filename
