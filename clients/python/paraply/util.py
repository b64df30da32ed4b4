"""Small things that users import."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, TypeVar

from paraply._serialize import PrePickled, Reference, mark_interactive, native

__all__ = ["PrePickled", "Reference", "interactive", "native"]

_F = TypeVar("_F", bound=Callable[..., Any])


def interactive(f: _F) -> _F:
    """Makes a module's function behave as if it had been typed at the prompt: on an engine its globals are the engine's.

    What the engine's namespace lacks travels with it, from the module that it is defined in.
    """
    f.__module__ = "__main__"
    if isinstance(f, types.FunctionType):
        mark_interactive(f)
    return f
