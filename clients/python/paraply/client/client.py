"""The client: one connection to one cluster."""

from __future__ import annotations

import os
import sys
import time
import warnings
import weakref
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

from paraply import _traces, error
from paraply._connection import find
from paraply._link import Link
from paraply.client._client_jobs import JobCalls
from paraply.client._jobs import Jobs
from paraply.client._targets import engine_ids
from paraply.client._wait_engines import EnginesFuture, wait_for_engines

if TYPE_CHECKING:
    from paraply._transport.base import Transport
    from paraply.client.view import BroadcastView, DirectView, LoadBalancedView, ViewExecutor

__all__ = ["Client"]

#: Arguments that have a meaning only with ipyparallel's own transport, and are ignored.
_IGNORED = frozenset({"context", "ipython_dir", "url_file", "url_or_file"})
#: The client whose view the magics use.
_magics_client: weakref.ref[Client] | None = None


class Client(JobCalls):
    """A connection to a cluster, and the way to its engines: `rc[0]`, `rc[:]`, `rc.load_balanced_view()`.

    Args:
        connection_info: Path of a connection file, or its content. None: as `PARAPLY_ADDRESS` or `PARAPLY_CONNECTION`
            say, else the default cluster of the profile.
        profile: The profile of the cluster.
        profile_dir: The folder of the profile, in place of its name.
        cluster_id: The cluster, where the profile has several.
        timeout: Seconds to wait for the cluster.
        cluster: The `Cluster` object that this belongs to, if there is one.
        debug: Accepted; kept as an attribute.
        block: Whether calls through new views wait for their results.
        label: What `paraply status` calls this client.
        on_disconnect: What becomes of tasks when this client is closed, or its process vanishes: "keep": they run;
            "cancel": those that have not started never do.

    Raises:
        OSError: There is no such cluster, or it does not take this client.
        ValueError: What was given is not connection information.
    """

    def __init__(
        self,
        connection_info: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        *,
        profile: str | None = None,
        profile_dir: str | os.PathLike[str] | None = None,
        cluster_id: str | None = None,
        timeout: float = 10.0,
        cluster: Any = None,
        debug: bool = False,
        block: bool = False,
        label: str = "",
        on_disconnect: str = "keep",
        transport: Transport | None = None,
        **ignored: Any,
    ) -> None:
        if unknown := set(ignored) - _IGNORED:
            raise TypeError(f"Client() got an unexpected keyword argument {min(unknown)!r}")
        if on_disconnect not in ("keep", "cancel"):
            raise ValueError(f"on_disconnect is 'keep' or 'cancel', not {on_disconnect!r}")
        for name in ("url_file", "url_or_file"):
            if ignored.get(name) is not None:
                warnings.warn(f"{name} is deprecated: pass connection_info", DeprecationWarning, stacklevel=2)
                connection_info = connection_info or ignored[name]
        _traces.asked.look()
        started = time.monotonic()
        info = find(connection_info, profile=profile, profile_dir=profile_dir, cluster_id=cluster_id, timeout=timeout)
        self._link = Link(
            info, transport or _default_transport(), label=label, cancel_on_disconnect=on_disconnect == "cancel"
        )
        self._jobs = Jobs(self._link)
        self._link.unfinished = self._jobs.unfinished_after_fork
        self._link.start(max(timeout - (time.monotonic() - started), 1.0))
        weakref.finalize(self, self._link.end_soon).atexit = False
        #: Whether calls through views made from now on wait for their results.
        self.block = block
        self.debug = debug
        self.cluster = cluster
        self.profile = profile or info.profile
        #: `rc.session.session` is this client's id.
        self.session = SimpleNamespace(session=self._link.session_hex)
        _activate_first(self)

    def __repr__(self) -> str:
        state = "closed" if self._link.closed else f"{len(self)} engines"
        return f"<{type(self).__name__}: {state}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # Engines.

    def __len__(self) -> int:
        return len(self._link.engines.ids)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[DirectView]:
        return (self.direct_view(engine) for engine in self.ids)

    def __getitem__(self, key: int | slice | list[int] | tuple[int, ...] | range) -> DirectView:
        """A direct view: of one engine for an int, else of these engines as they are now.

        Raises:
            IndexError: There is no such engine.
            KeyError: There is no engine of an id in the list.
            NoEnginesRegistered: There are none at all.
        """
        if not isinstance(key, (int, slice, tuple, list, range)):
            raise TypeError(f"key by int/slice/iterable of ints only, not {type(key)}")
        ids = self.ids
        if not ids:
            raise error.NoEnginesRegistered
        if isinstance(key, int):
            return self.direct_view(engine_ids(self, key)[0])
        if isinstance(key, slice):
            return self.direct_view(ids[key])
        for engine in key:
            if engine not in ids and not (isinstance(engine, int) and -len(ids) <= engine < 0):
                raise KeyError(engine)
        return self.direct_view(engine_ids(self, list(key)))

    def wait_for_engines(
        self,
        n: int | None = None,
        *,
        timeout: float = -1,
        block: bool = True,
        interactive: bool | None = None,
        widget: bool | None = None,
    ) -> Future[None] | None:
        """Waits until there are `n` engines, with a progress bar if a person watches.

        Args:
            n: How many; by default as many as the `Cluster` has that this client belongs to.
            timeout: Seconds; negative for ever.
            block: False: return a future at once.
            interactive: Show the bar, or do not.
            widget: A bar made of widgets.

        Raises:
            TimeoutError: There are not that many yet.
            EngineError: One left meanwhile.
        """
        if n is None:
            n = getattr(self.cluster, "n", None)
            if n is None:
                raise TypeError("wait_for_engines needs the number of engines: this client belongs to no Cluster")
        if block:
            wait_for_engines(self._link, n, timeout=timeout, interactive=interactive, widget=widget)
            return None
        return EnginesFuture(self._link, n, timeout)

    # Views.

    def direct_view(self, targets: Any = "all", **flags: Any) -> DirectView:
        """A view on certain engines. `'all'` is asked for anew at each call, and so are `labels`.

        `rc.direct_view(labels={"zone": "a"})` is on the engines that carry the label when a call is made.
        """
        from paraply.client.view import DirectView

        if not isinstance(targets, int) and targets != "all":
            targets = engine_ids(self, targets)
        return DirectView(self, targets=targets, **flags)

    def load_balanced_view(self, targets: Any = None, **flags: Any) -> LoadBalancedView:
        """A view whose tasks run on any engine, or on any of `targets`.

        With `labels={"runtime": "native"}`, only on engines that carry them: also on those that join later.
        """
        from paraply.client.view import LoadBalancedView

        if isinstance(targets, str) and targets == "all":
            targets = None
        if targets is not None:
            targets = engine_ids(self, targets)
        return LoadBalancedView(self, targets=targets, **flags)

    def broadcast_view(self, targets: Any = "all", is_coalescing: bool = False, **flags: Any) -> BroadcastView:
        """A direct view on the engines that there are now, or on those of them that carry its `labels`."""
        from paraply.client.view import BroadcastView

        return BroadcastView(self, targets=targets, is_coalescing=is_coalescing, **flags)

    def executor(self, targets: Any = None) -> ViewExecutor:
        """A `concurrent.futures.Executor` over a load-balanced view."""
        return self.load_balanced_view(targets).executor

    def activate(self, targets: Any = "all", suffix: str = "") -> DirectView:
        """Makes `%px<suffix>` and the other magics run on `targets`, waiting for them. Returns their view."""
        global _magics_client
        view = self.direct_view(targets, block=True)
        view.activate(suffix)
        _magics_client = weakref.ref(self)
        return view

    def spin(self) -> None:
        """Nothing: results arrive by themselves."""
        warnings.warn("spin() does nothing: results arrive by themselves", DeprecationWarning, stacklevel=2)


def _default_transport() -> Transport:
    from paraply._transport.grpc import GrpcTransport

    return GrpcTransport()


def _activate_first(client: Client) -> None:
    """In IPython the first client's view is that of `%px`, and the next one's when that client is closed."""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return
    present = _magics_client() if _magics_client is not None else None
    if present is None or present._link.closed:
        client.activate()
