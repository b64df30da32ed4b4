"""What a client asks of its cluster, beside running tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paraply._parting import LINGER
from paraply._proto.controller.v1 import cluster_pb2
from paraply._proto.scheduler.v1 import task_pb2
from paraply._transport.base import TransportError
from paraply.client._targets import engine_ids

#: The most engines that can be asked for.
MOST_ENGINES = 4096

if TYPE_CHECKING:
    from paraply._link import Link
    from paraply.client._view_direct import DirectView


class ClusterCalls:
    """What a client asks of the cluster's services."""

    block: bool
    cluster: Any
    _link: Link

    @property
    def ids(self) -> list[int]:
        """The engines that there are, sorted."""
        return list(self._link.engines.ids)

    @property
    def engine_labels(self) -> dict[int, dict[str, str]]:
        """What each engine carries, by its id: `runtime`, which it sets itself, and what it was started with."""
        engines = self._link.engines
        return {engine: engines.labels(engine) for engine in engines.ids}

    def direct_view(self, targets: Any = "all", **flags: Any) -> DirectView:
        """A view on certain engines."""
        raise NotImplementedError

    def close(self, linger: float | None = None) -> None:
        """Closes the connection. The cluster runs on, and so do tasks, also those that have not started. Idempotent.

        It waits until the cluster has all calls that were made. A client with `on_disconnect="cancel"` does not, and
        what has not started never does.

        Args:
            linger: Seconds that this may take; 10 by default.
        """
        self._link.close(LINGER if linger is None else linger)

    def queue_status(self, targets: Any = "all", verbose: bool = False) -> dict[Any, Any]:
        """How much there is to do: `{engine: {"queue": n, "completed": n, "tasks": n}, "unassigned": n}`.

        `queue` is what waits for the engine, `tasks` what it has started. For an int target only that engine's.
        """
        status = self._call(
            "paraply.scheduler.v1.TaskService/GetSchedulerStatus",
            task_pb2.GetSchedulerStatusRequest(),
            task_pb2.GetSchedulerStatusResponse,
        )
        rows = {
            row.engine.engine_id: {
                "queue": row.queued_tasks,
                "completed": row.completed_tasks,
                "tasks": row.claimed_tasks,
            }
            for row in status.engines
        }
        if isinstance(targets, int):
            return rows[engine_ids(self, targets)[0]]
        wanted = engine_ids(self, targets) if self.ids or targets not in (None, "all") else []
        found: dict[Any, Any] = {engine: rows[engine] for engine in wanted if engine in rows}
        found["unassigned"] = status.unassigned_tasks
        return found

    def shutdown(
        self, targets: Any = "all", restart: bool = False, hub: bool = False, block: bool | None = None
    ) -> None:
        """Ends engines. Returns when they are gone. With `hub` the client is closed, and its `Cluster` stopped, too."""
        if restart:
            raise NotImplementedError("engines cannot be restarted from here: use Cluster.restart_engines")
        if hub:
            targets = "all"
        engines = engine_ids(self, targets) if self.ids else []
        for engine in engines:
            self._call(
                "paraply.controller.v1.ClusterService/RemoveEngine",
                cluster_pb2.RemoveEngineRequest(engine_id=engine),
                cluster_pb2.RemoveEngineResponse,
            )
        self._link.engines.wait_until(lambda: set(engines).isdisjoint(self._link.engines.ids), 10.0)
        if hub:
            self.close()
            if self.cluster is not None:
                self.cluster.stop_cluster_sync()

    def scale(self, n: int, *, timeout: float | None = 60.0) -> None:
        """Has `n` engines be there, and waits for that.

        Missing ones are started by what has started the others. Of too many the idle ones go first: each finishes the task
        that it runs, gives back what it has not started, and leaves. No task is lost, and none runs twice.

        Args:
            timeout: Seconds to wait; None for ever, 0 not at all.

        Raises:
            ValueError: `n` is no number of engines.
            PermissionError: It takes the admin's token, and this client has none.
            RuntimeError: Nobody here launches engines, or who does cannot.
            TimeoutError: They are not there yet, or some still finish what they run. They come and go all the same.
        """
        if n not in range(MOST_ENGINES + 1):
            raise ValueError(f"n is {n}; it can be 0 to {MOST_ENGINES}")
        info = self._link.dialler.info
        if info.launched_by_command and info.file is not None:
            from paraply.cluster._command import scale

            scale(n, info.file)
        else:
            self._call(
                "paraply.controller.v1.ClusterService/ScaleEngines",
                cluster_pb2.ScaleEnginesRequest(engines=n),
                cluster_pb2.ScaleEnginesResponse,
            )
        there = self._link.engines
        if timeout != 0 and not there.wait_until(lambda: len(there.ids) == n, timeout):
            raise TimeoutError(
                f"there are {len(there.ids)} engines after {timeout} s, and {n} are wanted: `paraply status` says which "
                "are joining, and which finish what they run before they leave"
            )

    def clear(self, targets: Any = None, block: bool | None = None) -> Any:
        """Empties the engines' namespaces."""
        return self.direct_view("all" if targets is None else targets).clear(
            block=self.block if block is None else block
        )

    def send_signal(self, sig: int | str, targets: Any = None, block: bool | None = None) -> None:
        """Sends a signal, by number or name, to engine processes; 0 is none, and nothing is sent.

        Raises:
            ValueError: There is no such signal.
            IndexError: There is no such engine.
        """
        if sig in (0, "0"):
            return
        import signal

        name = sig if isinstance(sig, str) else signal.Signals(sig).name
        self._call(
            "paraply.controller.v1.ClusterService/SignalEngines",
            cluster_pb2.SignalEnginesRequest(engine_ids=engine_ids(self, targets), signal=name),
            cluster_pb2.SignalEnginesResponse,
        )

    def _call(self, method: str, request: Any, response: Any) -> Any:
        """A unary call whose failures are the user's."""
        try:
            return self._link.call(method, request, response)
        except TransportError as failure:
            name = method.rpartition("/")[2]
            if failure.code == "UNIMPLEMENTED":
                raise NotImplementedError(f"{name}: {failure.message}") from None
            if failure.code == "FAILED_PRECONDITION":
                raise RuntimeError(failure.message) from None
            if failure.code == "PERMISSION_DENIED":
                raise PermissionError(f"{name}: {failure.message}") from None
            if failure.code == "NOT_FOUND":
                raise IndexError(failure.message) from None
            raise ConnectionError(f"{name} failed: {failure}") from None
