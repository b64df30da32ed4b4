"""grpcio, where it can be used, and set up as suits calls that wait for each other."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

_FORK_SUPPORT = "GRPC_ENABLE_FORK_SUPPORT"
_EXPERIMENTS = "GRPC_EXPERIMENTS"
#: Whoever waits for an event reads the socket then. With the "event engine" four threads of the core's wake for each message
#: and hand it to who waits: a call takes a third longer, and a tenth of a core.
_ON_ITS_OWN_THREAD = "-event_engine_client"
#: The last release that is known to know of it. One that does not would write so to standard error.
_LAST_KNOWN = (1, 85)


class _Forks:
    """grpcio does not survive a fork, unless it is told to at the price of a second for each fork."""

    def __init__(self) -> None:
        self._used = False
        self._is_child = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self._is_child = self._used

    def library(self) -> ModuleType:
        """grpcio. Raises ConnectionError where it cannot work."""
        if self._is_child and not survives_forks():
            raise ConnectionError(
                "this process was forked from one that has a client, and grpcio does not work after that: start it with "
                f"the 'spawn' or 'forkserver' method of multiprocessing, or set {_FORK_SUPPORT}=1 before the first client"
            )
        self._used = True
        with _unless_set(_defaults() if "grpc" not in sys.modules else {}):
            import grpc
        return grpc


def survives_forks() -> bool:
    """Whether the user has told grpcio to survive forks."""
    return os.environ.get(_FORK_SUPPORT) in ("1", "true")


def _defaults() -> dict[str, str]:
    """Settings that the core reads once, when it is imported."""
    if survives_forks():
        return {}
    # Left to itself it writes to standard error at each fork.
    settings = {_FORK_SUPPORT: "0"}
    if _version() <= _LAST_KNOWN:
        settings[_EXPERIMENTS] = _ON_ITS_OWN_THREAD
    return settings


def _version() -> tuple[int, ...]:
    """Major and minor number of the grpcio that would be imported; a high one if it does not say."""
    spec = importlib.util.find_spec("grpc")
    file = Path(spec.origin).with_name("_grpcio_metadata.py") if spec and spec.origin else None
    text = file.read_text() if file and file.is_file() else ""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (sys.maxsize,)


@contextmanager
def _unless_set(settings: dict[str, str]) -> Iterator[None]:
    """Adds to the environment for a while: programs that are started later are not ours to set up."""
    added = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


_forks = _Forks()
library = _forks.library
