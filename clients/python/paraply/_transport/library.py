"""grpcio, where it can be used."""

from __future__ import annotations

import os
import sys
from types import ModuleType

_FORK_SUPPORT = "GRPC_ENABLE_FORK_SUPPORT"


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
        setting = os.environ.get(_FORK_SUPPORT)
        if self._is_child and setting not in ("1", "true"):
            raise ConnectionError(
                "this process was forked from one that has a client, and grpcio does not work after that: start it with "
                f"the 'spawn' or 'forkserver' method of multiprocessing, or set {_FORK_SUPPORT}=1 before the first client"
            )
        self._used = True
        if "grpc" in sys.modules or setting is not None:
            import grpc
        else:
            # Left to itself it writes to standard error at each fork.
            os.environ[_FORK_SUPPORT] = "0"
            try:
                import grpc
            finally:
                del os.environ[_FORK_SUPPORT]
        return grpc


_forks = _Forks()
library = _forks.library
