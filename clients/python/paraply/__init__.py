"""Interactive parallel Python: one handle over many engines.

    import paraply as ipp
    rc = ipp.Client()
    rc[:].apply_sync(f, 1)

Names are imported when they are first used, so that `import paraply` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from paraply._version import __version__, version_info

if TYPE_CHECKING:
    from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION

    from paraply.client.asyncresult import AsyncHubResult, AsyncMapResult, AsyncResult
    from paraply.client.client import Client
    from paraply.client.remotefunction import ParallelFunction, RemoteFunction, parallel, remote
    from paraply.client.view import BroadcastView, DirectView, LoadBalancedView, ViewExecutor
    from paraply.cluster import Cluster, ClusterManager
    from paraply.error import (
        AlreadyDisplayedError,
        CompositeError,
        DependencyTimeout,
        EngineError,
        ImpossibleDependency,
        InvalidDependency,
        IPythonError,
        KernelError,
        NoEnginesRegistered,
        RemoteError,
        TaskAborted,
        TaskRejectError,
        TaskTimeout,
        TimeoutError,
        UnmetDependency,
        collect_exceptions,
        unwrap_exception,
        wrap_exception,
    )
    from paraply.util import PrePickled, Reference, interactive, native

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "AlreadyDisplayedError",
    "AsyncHubResult",
    "AsyncMapResult",
    "AsyncResult",
    "BroadcastView",
    "Client",
    "Cluster",
    "ClusterManager",
    "CompositeError",
    "DependencyTimeout",
    "DirectView",
    "EngineError",
    "IPythonError",
    "ImpossibleDependency",
    "InvalidDependency",
    "KernelError",
    "LoadBalancedView",
    "NoEnginesRegistered",
    "ParallelFunction",
    "PrePickled",
    "Reference",
    "RemoteError",
    "RemoteFunction",
    "TaskAborted",
    "TaskRejectError",
    "TaskTimeout",
    "TimeoutError",
    "UnmetDependency",
    "ViewExecutor",
    "__version__",
    "collect_exceptions",
    "interactive",
    "native",
    "parallel",
    "remote",
    "unwrap_exception",
    "version_info",
    "wrap_exception",
]

_HOMES = {
    "concurrent.futures": ("ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"),
    "paraply.client.asyncresult": ("AsyncHubResult", "AsyncMapResult", "AsyncResult"),
    "paraply.client.client": ("Client",),
    "paraply.client.remotefunction": ("ParallelFunction", "RemoteFunction", "parallel", "remote"),
    "paraply.client.view": ("BroadcastView", "DirectView", "LoadBalancedView", "ViewExecutor"),
    "paraply.cluster": ("Cluster", "ClusterManager"),
    "paraply.util": ("PrePickled", "Reference", "interactive", "native"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
#: Submodules that are used as attributes without an import of their own.
_SUBMODULES = frozenset({"client", "cluster", "error", "util"})


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"paraply.{name}")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME.get(name, "paraply.error")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})
