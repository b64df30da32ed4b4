"""Names for what is already on an engine."""

from __future__ import annotations

from typing import Any

from paraply._serialize import rebuild


class Reference:
    """A name, or any expression, that an engine evaluates in its namespace, so that its value need not travel.

    Accepted as the function of `apply` and `map`, as an argument, and one level deep in a list, tuple, set or dict argument.
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a Reference is made from a name, not from {type(name).__name__}: {name!r}")
        self.name = name

    def __repr__(self) -> str:
        return f"<Reference: {self.name!r}>"

    def __reduce__(self) -> Any:
        return _arrive, (self.name,)


def _arrive(name: str) -> Reference:
    rebuild.current_scope().has_references = True
    return Reference(name)


def evaluate(value: Any, namespace: dict[str, Any]) -> Any:
    """`value`, with the references in it replaced by what they name."""
    if isinstance(value, Reference):
        return eval(value.name, namespace)
    kind = type(value)
    if kind is dict:
        return {key: _one(item, namespace) for key, item in value.items()}
    if kind in (list, tuple, set):
        return kind(_one(item, namespace) for item in value)
    return value


def _one(value: Any, namespace: dict[str, Any]) -> Any:
    return eval(value.name, namespace) if isinstance(value, Reference) else value
