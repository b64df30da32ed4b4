"""The arguments of one call as one value."""

from __future__ import annotations

from typing import Any, Self


class Call(tuple[tuple[Any, ...], dict[str, Any]]):
    """Positional and keyword arguments; pickled as a plain tuple, and known to `explain` by its type."""

    __slots__ = ()

    def __new__(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Self:
        return super().__new__(cls, (args, kwargs))

    def __reduce__(self) -> Any:
        return tuple, ([*self],)
