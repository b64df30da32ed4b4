"""When the pickle of a function may be used again: while everything it was made from is still the same."""

from __future__ import annotations

import operator
import types
from typing import Any

from paraply._serialize import names

_CONSTANTS = (
    types.NoneType,
    types.EllipsisType,
    types.NotImplementedType,
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    range,
    types.CodeType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.ModuleType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
)


def is_constant(value: Any) -> bool:
    """Whether a value cannot change while it is the same object. Functions and classes are watched by themselves."""
    kind = type(value)
    if kind in _CONSTANTS or isinstance(value, type):
        return True
    if kind is tuple or kind is frozenset:
        return all(map(is_constant, value))
    if kind is property:
        return all(map(is_constant, (value.fget, value.fset, value.fdel)))
    if kind is staticmethod or kind is classmethod:
        return is_constant(value.__func__)
    return False


class Snapshot:
    """What one pickled function depends on, by identity."""

    __slots__ = ("_classes", "_functions", "volatile")

    def __init__(self) -> None:
        #: Something inside may change in place: the pickle is good for once only.
        self.volatile = False
        self._functions: list[tuple[types.FunctionType, tuple[Any, ...]]] = []
        self._classes: list[tuple[type, tuple[Any, ...]]] = []

    def add_function(self, function: types.FunctionType) -> None:
        """Watches a function that travels by value, and the helpers that it names."""
        parts = _parts_of_function(function)
        defaults, kwdefaults, attributes, closure = parts[1:5]
        if not all(
            is_constant(value) for value in (defaults, *kwdefaults, *attributes, *closure) if value is not names.ABSENT
        ):
            self.volatile = True
        self._functions.append((function, parts))

    def add_class(self, cls: type) -> None:
        """Watches a class that travels by value."""
        parts = _parts_of_class(cls)
        if not all(map(is_constant, parts)):
            self.volatile = True
        self._classes.append((cls, parts))

    def holds(self) -> bool:
        """Whether the pickle would come out the same."""
        return (
            not self.volatile
            and all(_same(parts, _parts_of_function(function)) for function, parts in self._functions)
            and all(_same_items(parts, _parts_of_class(cls)) for cls, parts in self._classes)
        )


def _parts_of_function(function: types.FunctionType) -> tuple[Any, ...]:
    code = function.__code__
    named = [names.global_value(function, name) for name in names.global_names(code)]
    submodules = [
        each for value in named if type(value) is types.ModuleType for each in names.used_submodules(value, code)
    ]
    kwdefaults = function.__kwdefaults__
    return (
        code,
        function.__defaults__,
        () if not kwdefaults else (*kwdefaults, *kwdefaults.values()),
        () if not function.__dict__ else (*function.__dict__, *function.__dict__.values()),
        () if function.__closure__ is None else tuple(map(_contents, function.__closure__)),
        tuple(named),
        tuple(submodules),
    )


def _parts_of_class(cls: type) -> tuple[Any, ...]:
    kept = {
        name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__", "__annotations__")
    }
    return (*kept, *kept.values())


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return names.ABSENT


def _same(before: tuple[Any, ...], now: tuple[Any, ...]) -> bool:
    code, defaults, *groups = before
    return code is now[0] and defaults is now[1] and all(map(_same_items, groups, now[2:]))


def _same_items(before: tuple[Any, ...], now: tuple[Any, ...]) -> bool:
    return len(before) == len(now) and all(map(operator.is_, before, now))
