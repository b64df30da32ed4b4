"""What is measured, by name. A system is imported only where it runs: the others need not be installed."""

from __future__ import annotations

import importlib

from bench.systems.system import System

#: The one that the others are compared with.
OURS = "paraply"
#: Name, and the module and class that run it.
_CLASSES = {
    OURS: ("bench.systems.paraply", "Paraply"),
    "ipyparallel": ("bench.systems.ipyparallel", "IPyParallel"),
    "ray": ("bench.systems.ray", "Ray"),
    "dask": ("bench.systems.dask", "Dask"),
    "pool": ("bench.systems.pool", "Pool"),
}
NAMES = tuple(_CLASSES)
#: What is installed for each: whose versions a report names. The pool is Python's own.
DISTRIBUTIONS = {"paraply": "paraply", "ipyparallel": "ipyparallel", "ray": "ray", "dask": "distributed"}


def make(name: str) -> System:
    """The system of this name, not started. Raises ImportError if it is not installed."""
    module, cls = _CLASSES[name]
    system: System = getattr(importlib.import_module(module), cls)()
    return system


__all__ = ["DISTRIBUTIONS", "NAMES", "OURS", "System", "make"]
