"""Errors: those of tasks, which travel as data, and those of calls that could not be made."""

from __future__ import annotations

import builtins
import pickle
import sys
import traceback as _traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

EngineInfo = dict[str, Any]
#: (class name, message, traceback, engine info)
ErrorTuple = tuple[str, str, str | None, EngineInfo | None]


class IPythonError(Exception):
    """Base of all errors of this package; the name is what programs written for ipyparallel catch."""


class KernelError(IPythonError):
    """Something went wrong at an engine."""


class EngineError(KernelError):
    """An engine died, or left, with a task of ours."""


class NoEnginesRegistered(KernelError):
    """The operation needs engines and there are none."""

    def __str__(self) -> str:
        if self.args:
            return super().__str__()
        return (
            "This operation requires engines. Try client.wait_for_engines(n) to wait for engines to register, "
            "and see that the cluster has some: paraply status"
        )


class TaskAborted(KernelError):
    """The task was aborted before it started. Its argument is the task's message id."""


class TaskTimeout(KernelError):
    """The task waited in the queue for longer than its `timeout`."""


class UnmetDependency(KernelError):
    """Raised by a task that cannot run on this engine and should be tried on another."""


class ImpossibleDependency(UnmetDependency):
    """What the task was to wait for can no longer come true."""


class DependencyTimeout(TaskTimeout, ImpossibleDependency):
    """The task waited for its dependencies for longer than its `timeout`."""


class InvalidDependency(ImpossibleDependency):
    """The task was to wait for something that is no task."""


class TaskRejectError(KernelError):
    """The task was refused."""


class UnpicklableError(pickle.PicklingError, TypeError):
    """A value cannot be sent: the message starts with the path to the part that cannot."""


class NotJSONError(TypeError):
    """A result has no JSON form, and JSON was asked for: the message starts with the path to the part that has none."""


class NotPortableError(TypeError):
    """A value was to be what every language reads, and is not. For an argument, the message starts with the path to it."""


class UnreadableError(KernelError):
    """A payload cannot be read here: made by another Python minor version, or in an encoding this end does not know."""


TimeoutError = builtins.TimeoutError


class RemoteError(KernelError):
    """An exception that a task raised, as its engine told it."""

    ename: str
    evalue: str
    traceback: str | None
    engine_info: EngineInfo
    _original: BaseException | Callable[[], BaseException | None] | None

    def __init__(
        self,
        ename: str,
        evalue: str,
        traceback: str | None = None,
        engine_info: EngineInfo | None = None,
        *,
        original: BaseException | Callable[[], BaseException | None] | None = None,
    ) -> None:
        super().__init__(ename, evalue)
        self.ename = ename
        self.evalue = evalue
        self.traceback = traceback
        self.engine_info = engine_info or {}
        self._original = original

    @property
    def original(self) -> BaseException | None:
        """The exception object itself, where it could be pickled and this end has its class.

        It is read when it is first asked for, which imports the module of its class.
        """
        if self._original is not None and not isinstance(self._original, BaseException):
            self._original = self._original()
        return self._original

    def __repr__(self) -> str:
        engine = self.engine_info.get("engine_id", " ")
        return f"<{type(self).__name__}[{engine}]:{self.ename}({self.evalue})>"

    def __str__(self) -> str:
        return f"{_where(self.engine_info)} {self.ename}: {self.evalue}"

    def __reduce__(self) -> Any:
        return type(self), (self.ename, self.evalue, self.traceback, self.engine_info)

    def render_traceback(self) -> list[str]:
        """The engine's traceback, as lines."""
        return [_where(self.engine_info), *(self.traceback or "No traceback available").splitlines()]

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback of its own."""
        return self.render_traceback()

    def print_traceback(self, excid: int | None = None) -> None:
        """Prints the engine's traceback; `excid` picks one of several, and there is one here."""
        print("\n".join(self.render_traceback()))


class CompositeError(RemoteError):
    """What several tasks of one call raised, one or more."""

    #: How many errors `str` and tracebacks show.
    tb_limit = 4

    elist: list[ErrorTuple]

    def __init__(self, message: str, elist: Sequence[ErrorTuple]) -> None:
        super().__init__("CompositeError", message)
        self.msg = message
        self.elist = list(elist)
        self.args = tuple(ename for ename, *_ in self.elist)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({len(self.elist)})>"

    def __reduce__(self) -> Any:
        return CompositeError, (self.msg, self.elist)

    def __str__(self) -> str:
        lines = [self.msg]
        lines += [f"{_where(info)}{ename}: {evalue}" for ename, evalue, _, info in self.elist[: self.tb_limit]]
        if len(self.elist) > self.tb_limit:
            lines.append(f".... {len(self.elist) - self.tb_limit} more exceptions ...")
        return "\n".join(lines)

    def render_traceback(self, excid: int | None = None) -> list[str]:
        """The engines' tracebacks, as lines: the first few, or the one that `excid` names."""
        if excid is not None:
            return self._one(excid).render_traceback()
        lines: list[str] = []
        for index in range(min(len(self.elist), self.tb_limit)):
            lines += [*self._one(index).render_traceback(), ""]
        if len(self.elist) > self.tb_limit:
            lines.append(f"... {len(self.elist) - self.tb_limit} more exceptions ...")
        return lines

    def print_traceback(self, excid: int | None = None) -> None:
        """Prints the engines' tracebacks, or the one that `excid` names."""
        print("\n".join(self.render_traceback(excid)))

    def raise_exception(self, excid: int = 0) -> NoReturn:
        """Raises one of the errors as a `RemoteError`. Raises IndexError where there is no such one."""
        raise self._one(excid)

    def _one(self, excid: int) -> RemoteError:
        if not -len(self.elist) <= excid < len(self.elist):
            raise IndexError(f"an exception with index {excid} does not exist: there are {len(self.elist)}")
        return RemoteError(*self.elist[excid])


class AlreadyDisplayedError(RemoteError):
    """Stands for an error whose text and traceback have been shown already."""

    def __init__(self, original_error: RemoteError) -> None:
        super().__init__(
            original_error.ename, original_error.evalue, original_error.traceback, original_error.engine_info
        )
        self.original_error = original_error

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({self})>"

    def __str__(self) -> str:
        count = len(self.original_error.elist) if isinstance(self.original_error, CompositeError) else 1
        return f"{count} error{'' if count == 1 else 's'}"

    def __reduce__(self) -> Any:
        return AlreadyDisplayedError, (self.original_error,)

    def render_traceback(self) -> list[str]:
        """One line: the rest is on the screen."""
        return [str(self)]


def collect_exceptions(rdict_or_list: dict[Any, Any] | Sequence[Any], method: str = "unspecified") -> Sequence[Any]:
    """The results, or a `CompositeError` of all errors among them."""
    results = list(rdict_or_list.values()) if isinstance(rdict_or_list, dict) else rdict_or_list
    errors: list[ErrorTuple] = []
    for result in results:
        if isinstance(result, CompositeError):
            errors += result.elist
        elif isinstance(result, RemoteError):
            errors.append((result.ename, result.evalue, result.traceback, result.engine_info))
    if errors:
        raise CompositeError(f"one or more exceptions raised in: {method}", errors)
    return results


def wrap_exception(engine_info: EngineInfo | None = None) -> dict[str, Any]:
    """The exception being handled, as data that travels."""
    kind, value, trace = sys.exc_info()
    if kind is None:
        raise RuntimeError("wrap_exception is called while an exception is being handled")
    return {
        "status": "error",
        "ename": kind.__name__,
        "evalue": _text(value),
        "traceback": _traceback.format_exception(kind, value, trace),
        "engine_info": engine_info or {},
    }


def unwrap_exception(content: dict[str, Any]) -> RemoteError:
    """The `RemoteError` of what `wrap_exception` gave."""
    lines = content["traceback"]
    text = lines if isinstance(lines, str) else "".join(lines)
    return RemoteError(content["ename"], content["evalue"], text, content.get("engine_info"))


def _text(value: BaseException | None) -> str:
    convert: Callable[[object], str] = str
    try:
        return convert(value)
    except Exception as failure:  # noqa: BLE001  # `__str__` is users' code
        return f"Failed to cast exception to string: {type(failure).__name__}"


def _where(info: EngineInfo | None) -> str:
    if not info:
        return "[Engine Exception]"
    return f"[{info.get('engine_id', ' ')}:{info.get('method', 'apply')}]"
