"""`with view.sync_imports(): import numpy`."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from paraply import _ops

if TYPE_CHECKING:
    from paraply.client._view_direct import DirectView
    from paraply.client.asyncresult import AsyncResult


@contextmanager
def sync_imports(view: DirectView, local: bool = True, quiet: bool = False) -> Iterator[None]:
    """Import statements in the `with` block are made on the engines too; at its end all of them have been.

    `as` is not seen by the engines. Imports that the imported modules make, and those of other threads, are left alone.
    """
    if not local:
        raise NotImplementedError("imports on engines alone are not built: use view.execute('import ...')")
    original = builtins.__import__
    thread = threading.get_ident()
    sent: dict[tuple[str, tuple[str, ...]], AsyncResult] = {}
    nested = False

    def synchronized(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        nonlocal nested
        if nested or threading.get_ident() != thread:
            return original(name, globals, locals, fromlist or (), level)
        if level:
            raise ImportError(f"engines cannot make the relative import of {name or '.'!r}: name the module in full")
        nested = True
        try:
            module = original(name, globals, locals, fromlist or (), level)
            wanted = tuple(fromlist or ())
            if (name, wanted) not in sent:
                if not quiet:
                    print(
                        f"importing {', '.join(wanted)} from {name} on engine(s)"
                        if wanted
                        else f"importing {name} on engine(s)"
                    )
                sent[name, wanted] = view._operation(
                    _ops.import_module, name, wanted, targets=view.targets, name="import"
                )
        finally:
            nested = False
        return module

    replaced: Any = synchronized
    builtins.__import__ = replaced
    try:
        yield
    finally:
        builtins.__import__ = original
    for result in sent.values():
        result.get()
