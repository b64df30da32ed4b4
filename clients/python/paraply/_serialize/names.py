"""Which global names a code object uses, and names for objects that both ends can import."""

from __future__ import annotations

import builtins
import dis
import functools
import importlib
import sys
import types
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

# LOAD_NAME reads globals in class bodies; the store and delete forms name a global that a read elsewhere may follow.
_GLOBAL_OPERATIONS = frozenset(
    {
        "LOAD_GLOBAL",
        "LOAD_NAME",
        "LOAD_FROM_DICT_OR_GLOBALS",
        "STORE_GLOBAL",
        "DELETE_GLOBAL",
    }
)

_names: weakref.WeakKeyDictionary[types.CodeType, tuple[str, ...]] = weakref.WeakKeyDictionary()


def codes_of(code: types.CodeType) -> Iterator[types.CodeType]:
    """`code` and all code nested in it: inner functions, lambdas, comprehensions, class bodies."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes_of(constant)


def global_names(code: types.CodeType) -> tuple[str, ...]:
    """The global names that `code` and the code nested in it use, sorted."""
    names = _names.get(code)
    if names is None:
        found = {
            instruction.argval
            for each in codes_of(code)
            for instruction in dis.get_instructions(each)
            if instruction.opname in _GLOBAL_OPERATIONS
        }
        names = _names[code] = tuple(sorted(found))
    return names


ABSENT: Any = object()

_BY_NAME_OR_VALUE = (types.FunctionType, types.ModuleType, type, functools.partial, functools._lru_cache_wrapper)


def travels(value: Any) -> bool:
    """Whether a global that a function names goes with it: functions, classes and modules do, data does not."""
    if isinstance(value, _BY_NAME_OR_VALUE):
        return True
    if not callable(value):
        return False
    return hasattr(value, "__wrapped__") or spell(value) is not None


def global_value(function: types.FunctionType, name: str) -> Any:
    """What `name` means to `function` as a global, the helpers that came with it included; else `ABSENT`."""
    value = function.__globals__.get(name, ABSENT)
    if value is ABSENT:
        bound: dict[str, Any] = getattr(function, "__builtins__")  # noqa: B009  # type stubs differ on it
        if bound is not vars(builtins):
            value = bound.get(name, ABSENT)
            if value is vars(builtins).get(name, ABSENT):
                return ABSENT
    return value


def used_submodules(module: types.ModuleType, code: types.CodeType) -> list[str]:
    """Loaded submodules of the package `module` that `code` may reach by attribute, as in `xml.etree.ElementTree`.

    Importing the package alone would not load them at the other end.
    """
    if not hasattr(module, "__path__"):
        return []
    attributes = {name for each in codes_of(code) for name in each.co_names}
    found: list[str] = []
    waiting = [module.__name__]
    while waiting:
        prefix = waiting.pop()
        for attribute in sorted(attributes):
            name = f"{prefix}.{attribute}"
            if name in sys.modules:
                found.append(name)
                waiting.append(name)
    return found


def is_main(module: str | None) -> bool:
    """Whether a definition's `__module__` says that it was typed by the user: `__main__`, or nowhere."""
    return module is None or module == "__main__"


_interactive: weakref.WeakSet[types.FunctionType] = weakref.WeakSet()


def mark_interactive(function: types.FunctionType) -> None:
    """Has a module's function treated as one that was typed at the prompt."""
    _interactive.add(function)


def home_of(function: types.FunctionType) -> str | None:
    """The importable module whose globals `function` uses, or None where it uses those of a `__main__`."""
    name = function.__globals__.get("__name__")
    if not isinstance(name, str) or is_main(name) or function in _interactive:
        return None
    module = sys.modules.get(name)
    return name if module is not None and vars(module) is function.__globals__ else None


def is_foreign(function: types.FunctionType) -> bool:
    """Whether a function was made in a namespace of its own (`exec` into a dict, `runpy`): it is neither a module's nor
    was it typed at the prompt, and what it names is there and nowhere else.
    """
    return (
        function.__globals__.get("__name__") != "__main__"
        and function not in _interactive
        and home_of(function) is None
    )


def spell(obj: Any) -> str | None:
    """The name "module:qualified.name" under which `obj` can be imported at the other end, or None."""
    if isinstance(obj, types.ModuleType):
        return f"{obj.__name__}:" if sys.modules.get(obj.__name__) is obj and obj.__name__ != "__main__" else None
    name = getattr(obj, "__qualname__", None) or getattr(obj, "__name__", None)
    if not isinstance(name, str):
        return None
    for module, path in _candidates(obj, name):
        if is_main(module) or "<" in path or module not in sys.modules:
            continue
        try:
            found = functools.reduce(getattr, path.split("."), sys.modules[module])
        except AttributeError:
            continue
        if found is obj or (_is_bound(obj) and _is_bound(found) and found == obj):
            return f"{module}:{path}"
    return None


def _is_bound(obj: Any) -> bool:
    return isinstance(obj, (types.MethodType, types.BuiltinMethodType))


def _candidates(obj: Any, name: str) -> Iterator[tuple[str | None, str]]:
    owner = getattr(obj, "__self__", None)
    if isinstance(owner, type):  # a class method
        yield owner.__module__, f"{owner.__qualname__}.{obj.__name__}"
    elif owner is not None and not isinstance(owner, types.ModuleType):
        # A method of an instance that a module publishes as a function, as `random.random`. By value it would carry
        # the instance along: every engine would draw the same numbers.
        yield type(owner).__module__, obj.__name__
    home = getattr(obj, "__objclass__", None)
    if isinstance(home, type):
        yield home.__module__, name
    module = getattr(obj, "__module__", None)
    if isinstance(module, str):
        yield module, name
    elif not isinstance(obj, type) and callable(obj):
        yield type(obj).__module__.partition(".")[0], name


def resolve(spelled: str) -> Any:
    """The object of a name that `spell` gave. Raises ImportError or AttributeError where this end has none."""
    module, _, path = spelled.partition(":")
    found: Any = importlib.import_module(module)
    if path:
        found = functools.reduce(getattr, path.split("."), found)
    return found


def import_all(modules: Iterable[str]) -> None:
    """Imports each module, leaving out what this end does not have: its use will say so by its name."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError:
            continue
