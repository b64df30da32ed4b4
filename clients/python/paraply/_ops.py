"""What views ask of engines beside calling users' functions. Sent by name; an engine calls each with its namespace first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Concatenate, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Namespace = dict[str, Any]

#: Stands for the value in an assignment to something that is no plain name.
_VALUE = "_paraply_value_"


def _in_namespace(operation: Callable[Concatenate[_Namespace, _P], _R]) -> Callable[Concatenate[_Namespace, _P], _R]:
    operation._paraply_wants_namespace_ = True  # type: ignore[attr-defined]
    return operation


@_in_namespace
def push(namespace: _Namespace, values: dict[str, Any]) -> None:
    """Assigns each value to its name, which may be dotted or indexed: anything that can stand left of `=`."""
    for name, value in values.items():
        if name.isidentifier():
            namespace[name] = value
        else:
            exec(f"{name} = {_VALUE}", namespace, {_VALUE: value})


@_in_namespace
def pull(namespace: _Namespace, names: str | list[str]) -> Any:
    """The value of an expression, or a list of the values of several."""
    if isinstance(names, str):
        return eval(names, namespace)
    return [eval(name, namespace) for name in names]


@_in_namespace
def import_module(namespace: _Namespace, module: str, names: Iterable[str] = ()) -> None:
    """`import module`, or `from module import names`."""
    names = list(names)
    statement = f"from {module} import {', '.join(names)}" if names else f"import {module}"
    exec(statement, namespace)


@_in_namespace
def clear(namespace: _Namespace) -> None:
    """Forgets what users put into the namespace; what the shell needs stays."""
    shell = namespace.get("get_ipython")
    if shell is not None:
        shell().reset(new_session=False)
        return
    for name in [name for name in namespace if not (name.startswith("__") and name.endswith("__"))]:
        del namespace[name]
