"""What a cluster's `controller` and `engines` are: views of processes that the supervisor keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paraply.cluster import _control

if TYPE_CHECKING:
    from paraply.cluster.cluster import Cluster

#: Lines of each log that `get_output` returns.
OUTPUT_LIMIT = 100


class _Part(ABC):
    """Part of a cluster. Its processes are asked after, never remembered."""

    def __init__(self, cluster: Cluster) -> None:
        self._control = cluster._control
        self._logs = cluster.folder / "logs"

    def _status(self) -> dict[str, Any] | None:
        if self._control is None:
            return None
        try:
            return _control.ask(self._control, {"op": "status"})
        except (OSError, RuntimeError):
            return None

    @abstractmethod
    def _pids(self) -> list[int]: ...

    @property
    def running(self) -> bool:
        """Whether any of its processes runs."""
        return bool(self._pids())

    @property
    def state(self) -> str:
        """`running` or `after`."""
        return "running" if self.running else "after"

    def _tail(self, pattern: str) -> str:
        logs = (path.read_text(errors="replace") for path in sorted(self._logs.glob(pattern)))
        return "".join(line for log in logs for line in log.splitlines(keepends=True)[-OUTPUT_LIMIT:])


class Controller(_Part):
    """The services of a cluster."""

    def _pids(self) -> list[int]:
        services = (self._status() or {}).get("services", [])
        return [service["pid"] for service in services if service["pid"] is not None]

    def get_output(self) -> str:
        """The end of what the services have logged."""
        return self._tail("controller.log") + self._tail("scheduler.log")

    def __repr__(self) -> str:
        return f"<Controller: {self.state}>"


class EngineSet(_Part):
    """Engines that were started together."""

    def __init__(self, cluster: Cluster, set_id: str, n: int) -> None:
        super().__init__(cluster)
        self.id = set_id
        #: Engines asked for.
        self.n = n

    def _pids(self) -> list[int]:
        sets = (self._status() or {}).get("engine_sets", {})
        return [engine["pid"] for engine in sets.get(self.id, [])]

    def signal(self, signum: int) -> None:
        """Sends a signal to each engine of the set."""
        control: Path | None = self._control
        if control is not None:
            _control.ask(control, {"op": "signal_engines", "signal": int(signum), "engine_set": self.id})

    def get_output(self) -> str:
        """The end of what each engine has logged."""
        return self._tail(f"engine-{self.id}-*.log")

    def __repr__(self) -> str:
        return f"<EngineSet {self.id}: {self.state}, n={self.n}>"
