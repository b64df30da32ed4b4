"""What clients are made of, under ipyparallel's module names. Modules are imported when they are first used."""

from __future__ import annotations

import importlib
from typing import Any

_SUBMODULES = frozenset({"asyncresult", "client", "magics", "map", "remotefunction", "view"})


def __getattr__(name: str) -> Any:
    if name not in _SUBMODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES})
