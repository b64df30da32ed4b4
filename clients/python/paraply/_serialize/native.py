"""Functions in other languages than Python, which engines have registered."""

from __future__ import annotations

import re
from typing import Any, NoReturn

_NAME = re.compile(r"\w+(\.\w+)*")


class NativeFunction:
    """What a native engine has registered under a name: goes where a function goes, in `apply`, `map` and their kin.

    Its arguments and its result travel as what every language reads, whatever the view's `portable` says.
    """

    __slots__ = ("__name__",)

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise TypeError(f"{self!r} is on engines only: give it to a view, as in view.apply(paraply.native(...), ...)")

    def __repr__(self) -> str:
        return f"paraply.native({self.__name__!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NativeFunction) and other.__name__ == self.__name__

    def __hash__(self) -> int:
        return hash((NativeFunction, self.__name__))

    def __reduce__(self) -> Any:
        return native, (self.__name__,)


def native(name: str) -> NativeFunction:
    """The function that native engines have registered as `name`, to be called through a view.

        lview.apply(paraply.native("simulate"), 1000)

    Raises:
        ValueError: No function can have this name.
        TypeError: It is no string.
    """
    if not isinstance(name, str):
        raise TypeError(f"a native function is named by a str, not by a {type(name).__name__}: {name!r}")
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} names no function: letters, digits, '_' and dots do")
    return NativeFunction(name)
