"""Errors that say where in a value the culprit is, and what a function found missing."""

from __future__ import annotations

import functools
import io
import types
from collections.abc import Iterator
from typing import Any

from paraply import error
from paraply._serialize import names
from paraply._serialize.call import Call
from paraply._serialize.pickler import Buffers, Pickler
from paraply._serialize.rebuild import Scope

#: Objects looked at before the search gives up and names the deepest culprit found.
_BUDGET = 2000

PATH_CHARACTERS = 400
_KEY_CHARACTERS = 80


def unpicklable(value: Any, what: str, failure: BaseException) -> error.UnpicklableError:
    """The error for a value that could not be pickled: "args[0].lock: cannot pickle '_thread.lock' object"."""
    path, reason = _Search().descend(value, what, failure)
    return error.UnpicklableError(f"{path}: {reason}")


class _Search:
    def __init__(self) -> None:
        self._left = _BUDGET
        self._seen: set[int] = set()

    def descend(self, value: Any, path: str, failure: BaseException) -> tuple[str, str]:
        """The deepest part of `value` that cannot be pickled by itself, and why."""
        found: tuple[str, Any, BaseException] | None = path, value, failure
        while found is not None:
            path, value, failure = found
            found = self._culprit(value, path)
        return shortened(path, PATH_CHARACTERS), _reason(failure)

    def _culprit(self, value: Any, path: str) -> tuple[str, Any, BaseException] | None:
        """The first part of `value` that cannot be pickled by itself."""
        self._seen.add(id(value))
        for name, part in _readable_parts(value, path):
            if id(part) in self._seen or self._left <= 0:
                continue
            self._left -= 1
            reason = _failure(part)
            if reason is not None:
                return name, part, reason
        return None


def _failure(value: Any) -> BaseException | None:
    try:
        # With a place for buffers, so that large arrays on the way to the culprit are not copied.
        Pickler(io.BytesIO(), Buffers()).dump(value)
    except Exception as failure:  # noqa: BLE001  # pickling runs users' code
        return failure
    return None


def _reason(failure: BaseException) -> str:
    if isinstance(failure, RecursionError) or isinstance(failure.__cause__, RecursionError):
        return "it is nested too deeply to be pickled"
    try:
        text = str(failure)
    except Exception:  # noqa: BLE001  # a user's __str__ may raise anything
        text = ""
    return text or type(failure).__name__


def shown(value: object) -> str:
    """`repr(value)`, whatever its class does there."""
    try:
        return shortened(repr(value), _KEY_CHARACTERS)
    except Exception:  # noqa: BLE001  # a user's __repr__ may raise anything
        return f"<{type(value).__name__}>"


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2]}...{text[-most // 2 :]}"


def _readable_parts(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The parts of `value`, as far as it lets itself be looked into: attributes run users' code too."""
    try:
        yield from _parts(value, path)
    except Exception:  # noqa: BLE001
        return


def _parts(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Call):
        for index, part in enumerate(value[0]):
            yield f"args[{index}]", part
        for key, part in value[1].items():
            yield str(key), part
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield f"{path}[{index}]", part
    elif isinstance(value, dict):
        for key, part in value.items():
            yield f"{path}[{shown(key)}]", part
    elif isinstance(value, (set, frozenset)):
        for part in value:
            yield f"{path}{{{shown(part)}}}", part
    elif isinstance(value, types.FunctionType):
        yield from _parts_of_function(value, path)
    elif isinstance(value, types.MethodType):
        yield f"{path}.__self__", value.__self__
        yield f"{path}.__func__", value.__func__
    elif isinstance(value, functools.partial):
        yield f"{path}.func", value.func
        yield from _parts(value.args, f"{path}.args")
        yield from _parts(value.keywords, f"{path}.keywords")
    elif not isinstance(value, (type, types.ModuleType)):
        for name, part in getattr(value, "__dict__", {}).items():
            yield f"{path}.{name}", part
        for cls in type(value).__mro__:
            slots = vars(cls).get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if hasattr(value, name):
                    yield f"{path}.{name}", getattr(value, name)
    elif isinstance(value, type):
        for name, part in vars(value).items():
            yield f"{path}.{name}", part


def _parts_of_function(function: types.FunctionType, path: str) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f"{path}: closure variable {name}", cell.cell_contents
        except ValueError:
            continue
    for index, part in enumerate(function.__defaults__ or ()):
        yield f"{path}: default[{index}]", part
    for name, part in (function.__kwdefaults__ or {}).items():
        yield f"{path}: default of {name}", part
    for name, part in function.__dict__.items():
        yield f"{path}.{name}", part
    for name in names.global_names(function.__code__):
        part = names.global_value(function, name)
        if part is not names.ABSENT and names.travels(part):
            yield f"{path}: global {name}", part


def explain_name_error(exception: BaseException, scope: Scope, engine_id: int) -> None:
    """Adds to a NameError of a function that travelled which engine lacks the name, and what to do about it."""
    if not isinstance(exception, NameError) or isinstance(exception, UnboundLocalError):
        return
    name = exception.name
    if not name or name in scope.namespace:
        return
    trace = exception.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_globals is not scope.namespace or trace.tb_frame.f_code.co_name == "<module>":
        return
    reason = scope.absent.get(name)
    if reason is not None:
        advice = f"it could not be sent along: {reason}"
    else:
        advice = f"push it there first, as in view.push({{{name!r}: {name}}})"
    exception.args = (f"{exception.args[0]} on engine {engine_id}: {advice}",)
