"""Functions that come as source code: from those who cannot pickle them."""

from __future__ import annotations

import ast
import functools
import re
import types
from collections.abc import Callable
from typing import Any

from paraply import error

#: What a traceback calls the file.
_FILENAME = "<function>"


#: "package.module:qualified.name", ":name of an engine's own", "module:".
_NAME = re.compile(r"(?!lambda:)[\w.-]*:[\w.]*")


def is_source(text: str) -> bool:
    """Whether a function's text is its source: whatever cannot be a name, a colon between two paths."""
    return _NAME.fullmatch(text) is None


class Source:
    """The source of one function, compiled once: a definition with its decorators, or an expression, such as a lambda.

    Raises `UnreadableError` where it is something else.
    """

    __slots__ = ("_code", "_is_lambda", "_name")

    def __init__(self, text: str) -> None:
        text = text.strip(" \t\r\n\f")
        try:
            statements = ast.parse(text, _FILENAME).body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as wrong:
            raise error.UnreadableError(f"the source of the function cannot be read: {wrong}") from None
        only = statements[0] if len(statements) == 1 else None
        #: Of a definition; empty for an expression.
        self._name = ""
        self._is_lambda = False
        if isinstance(only, ast.FunctionDef):
            self._name = only.name
            self._code = compile(text, _FILENAME, "exec", dont_inherit=True)
        elif isinstance(only, ast.Expr):
            self._is_lambda = isinstance(only.value, ast.Lambda)
            self._code = compile(ast.Expression(only.value), _FILENAME, "eval", dont_inherit=True)
        else:
            raise error.UnreadableError(
                f"the source of a function is one expression or one def, and this has {len(statements)} statements "
                f"{_kinds(statements)}: put them inside a def, or into a module that the engines can import"
            )

    def bind(self, namespace: dict[str, Any]) -> Callable[..., Any]:
        """The function, made anew, with `namespace` as its globals."""
        if self._name:
            made: dict[str, Any] = {}
            exec(self._code, namespace, made)
            function: Callable[..., Any] = made[self._name]
            return function
        if self._is_lambda:
            function = eval(self._code, namespace)
            return function
        return functools.partial(_evaluate, self._code, namespace)


def _evaluate(code: types.CodeType, namespace: dict[str, Any], /, *args: Any, **kwargs: Any) -> Any:
    """The value of an expression, called if it can be: an expression is read when its task runs, and not before."""
    value = eval(code, namespace)
    if callable(value):
        return value(*args, **kwargs)
    if args or kwargs:
        raise TypeError(f"the value of the expression cannot be called with arguments: it is a {type(value).__name__}")
    return value


def _kinds(statements: list[ast.stmt]) -> str:
    return "(" + ", ".join(type(statement).__name__ for statement in statements[:5]) + ")"
