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


#: In place of a global that does not travel: it may change, and may be freed.
_STAYS = object()


def _traveller(value: Any) -> Any:
    return value if value is not names.ABSENT and names.travels(value) else _STAYS


class Snapshot:
    """What one pickled function depends on, by identity."""

    __slots__ = ("_classes", "_functions", "volatile")

    def __init__(self) -> None:
        #: Something inside may change in place: the pickle is good for once only.
        self.volatile = False
        self._functions: list[_Function] = []
        self._classes: list[tuple[type, tuple[Any, ...]]] = []

    def add_function(self, function: types.FunctionType) -> None:
        """Watches a function that travels by value, and the helpers that it names."""
        seen = _Function(function)
        self.volatile = self.volatile or not seen.is_constant()
        self._functions.append(seen)

    def add_class(self, cls: type) -> None:
        """Watches a class that travels by value."""
        parts = _parts_of_class(cls)
        self.volatile = self.volatile or not all(map(is_constant, parts))
        self._classes.append((cls, parts))

    def holds(self) -> bool:
        """Whether the pickle would come out the same."""
        return (
            not self.volatile
            and all(seen.holds() for seen in self._functions)
            and all(_same(parts, _parts_of_class(cls)) for cls, parts in self._classes)
        )


class _Function:
    """What a function was made of."""

    __slots__ = (
        "attributes",
        "closure",
        "code",
        "defaults",
        "function",
        "kwdefaults",
        "named",
        "packages",
        "submodules",
    )

    def __init__(self, function: types.FunctionType) -> None:
        self.function = function
        self.code = function.__code__
        self.defaults = function.__defaults__
        self.kwdefaults = _items(function.__kwdefaults__)
        self.attributes = _items(function.__dict__)
        self.closure = _contents(function)
        named = names.global_names(self.code)
        self.named = [(name, _traveller(names.global_value(function, name))) for name in named]
        self.packages = [value for _, value in self.named if type(value) is types.ModuleType]
        self.submodules = self._submodules()

    def is_constant(self) -> bool:
        """Whether none of it can change in place."""
        values = (self.defaults, *self.kwdefaults, *self.attributes, *self.closure)
        return all(value is names.ABSENT or is_constant(value) for value in values)

    def holds(self) -> bool:
        """Whether the function is still made of the same."""
        function = self.function
        if function.__code__ is not self.code or function.__defaults__ is not self.defaults:
            return False
        if (self.kwdefaults or function.__kwdefaults__) and not _same(self.kwdefaults, _items(function.__kwdefaults__)):
            return False
        if (self.attributes or function.__dict__) and not _same(self.attributes, _items(function.__dict__)):
            return False
        if self.closure and not _same(self.closure, _contents(function)):
            return False
        for name, value in self.named:
            now = names.global_value(function, name)
            if now is not value and (value is not _STAYS or _traveller(now) is not _STAYS):
                return False
        return not self.packages or self._submodules() == self.submodules

    def _submodules(self) -> list[str]:
        return [each for package in self.packages for each in names.used_submodules(package, self.code)]


def _items(mapping: dict[str, Any] | None) -> tuple[Any, ...]:
    return (*mapping, *mapping.values()) if mapping else ()


def _parts_of_class(cls: type) -> tuple[Any, ...]:
    kept = {
        name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__", "__annotations__")
    }
    return _items(kept)


def _contents(function: types.FunctionType) -> tuple[Any, ...]:
    return tuple([_content(cell) for cell in function.__closure__ or ()])


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return names.ABSENT


def _same(before: tuple[Any, ...], now: tuple[Any, ...]) -> bool:
    return len(before) == len(now) and all(map(operator.is_, before, now))
