"""Functions that come as source code: from clients in languages that cannot pickle them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from paraply import error

#: What a traceback calls the file.
_FILENAME = "<function>"


def is_source(text: str) -> bool:
    """Whether a function's text is its source. It has a line end then, which no name has."""
    return "\n" in text


class Source:
    """The source of one function, compiled once: a lambda, or a definition with its decorators.

    Raises `UnreadableError` where it is something else.
    """

    __slots__ = ("_code", "_name")

    def __init__(self, text: str) -> None:
        try:
            statements = ast.parse(text, _FILENAME).body
        except SyntaxError as wrong:
            raise error.UnreadableError(f"the source of the function cannot be read: {wrong}") from None
        only = statements[0] if len(statements) == 1 else None
        #: Of a definition; empty for a lambda.
        self._name = ""
        if isinstance(only, ast.FunctionDef):
            self._name = only.name
            self._code = compile(text, _FILENAME, "exec", dont_inherit=True)
        elif isinstance(only, ast.Expr) and isinstance(only.value, ast.Lambda):
            self._code = compile(ast.Expression(only.value), _FILENAME, "eval", dont_inherit=True)
        else:
            raise error.UnreadableError(
                f"the source of a function is one lambda or one def, and this has {len(statements)} statements: put "
                f"imports and helpers inside, or into a module that the engines can import"
            )

    def bind(self, namespace: dict[str, Any]) -> Callable[..., Any]:
        """The function, made anew, with `namespace` as its globals."""
        made: dict[str, Any] = {}
        value = eval(self._code, namespace, made)
        function: Callable[..., Any] = made[self._name] if self._name else value
        return function
