"""`Cluster`: a controller, a scheduler and engines, on this machine or elsewhere."""

from __future__ import annotations

import asyncio
import atexit
import os
import secrets
import signal
import string
import sys
import time
import weakref
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from paraply._connection import home
from paraply.cluster import _control
from paraply.cluster._command import Supervisor
from paraply.cluster._options import launcher, refuse_what_is_not_known
from paraply.cluster._record import Record
from paraply.cluster._scaling import scaling
from paraply.cluster.launcher import Controller, EngineSet

if TYPE_CHECKING:
    from paraply.client.client import Client

#: Seconds for a start that has failed to end, and to say why.
FAILURE_PATIENCE = 10.0
#: Those to be stopped when this process ends.
_to_stop: weakref.WeakSet[Cluster] = weakref.WeakSet()


class Cluster:
    """A cluster that this program starts: of processes, or of containers here or on Kubernetes.

    As a context manager it starts, gives a connected client with all engines, and stops:

        with Cluster(n=4) as rc:
            rc[:].apply_sync(os.getpid)

    Each method that waits is a coroutine, with a twin whose name ends in `_sync`.

    Args:
        n: Engines to start; one for each core if None.
        profile: Which profile it belongs to.
        profile_dir: The profile's folder, in place of `profile`.
        cluster_id: Its name; one is made up if None.
        autoscale: At least and at most how many engines there are to be: they start when tasks wait, and leave when they
            are idle, and what they have in their namespaces goes with them. None: as many as are asked for.
        idle_timeout: Seconds that an engine has nothing to do until it may have to leave.
        engine_timeout: Seconds that engines get to join.
        shutdown_atexit: Whether it ends with this process, however that ends.
        work_dir: Where the engines run; this process's folder if None.
        log_level: Accepted, since programs pass it: the services' level is `PARAPLY_LOG`.
        options: `engines` is what runs the cluster: "local" for processes of this machine, "docker" for containers of it
            (images: `make images`), "kubernetes" for pods in a namespace of their own, in the cluster of the kubeconfig,
            with the options `context`, `namespace` and `image_prefix`. ipyparallel's other options are accepted where
            they change nothing here, and refused where they ask for something else.
    """

    def __init__(
        self,
        n: int | None = None,
        *,
        profile: str | None = None,
        profile_dir: str | os.PathLike[str] | None = None,
        cluster_id: str | None = None,
        autoscale: tuple[int, int] | None = None,
        idle_timeout: float = 60.0,
        engine_timeout: float = 60,
        shutdown_atexit: bool = True,
        work_dir: str | os.PathLike[str] | None = None,
        log_level: int | str | None = None,
        **options: Any,
    ) -> None:
        self.launcher, self._flags = launcher(options)
        if autoscale is not None and self.launcher != "local":
            raise ValueError(
                "autoscale is for clusters of processes; on Kubernetes a component does it (docs/deploy.md)"
            )
        self._scaling = scaling(autoscale, idle_timeout)
        folder = Path(profile_dir) if profile_dir is not None else home() / (profile or "default")
        self.n = n
        self.profile = folder.name
        self.profile_dir = str(folder)
        self.cluster_id = cluster_id if cluster_id is not None else _new_cluster_id()
        self.autoscale = autoscale
        self.idle_timeout = idle_timeout
        self.engine_timeout = engine_timeout
        self.shutdown_atexit = shutdown_atexit
        self.work_dir = str(work_dir) if work_dir is not None else None
        self.log_level = log_level
        self.controller: Controller | None = None
        self.engines: dict[str, EngineSet] = {}
        # A cluster that nobody can name again leaves no folder.
        self._ephemeral = cluster_id is None and shutdown_atexit
        self._supervisor: Supervisor | None = None
        self._control: Path | None = None
        self._client: Client | None = None
        self._process = os.getpid()

    # Starting

    def start_cluster_sync(self, n: int | None = None) -> Cluster:
        """Starts controller, scheduler and `n` engines. Returns this cluster, which can be connected to at once."""
        self.n = self._engine_count(n)
        self._start(self.n)
        return self

    async def start_cluster(self, n: int | None = None) -> Cluster:
        """See `start_cluster_sync`."""
        return await asyncio.to_thread(self.start_cluster_sync, n)

    def start_controller_sync(self, **options: Any) -> None:
        """Starts controller and scheduler, without engines. Raises RuntimeError if they run."""
        refuse_what_is_not_known(options)
        self._start(0)

    async def start_controller(self, **options: Any) -> None:
        """See `start_controller_sync`."""
        await asyncio.to_thread(self.start_controller_sync, **options)

    def start_engines_sync(self, n: int | None = None, engine_set_id: str | None = None, **options: Any) -> str:
        """Starts `n` more engines. Returns the id of their set at once; `Client.wait_for_engines` waits for them."""
        refuse_what_is_not_known(options)
        n = self._engine_count(n)
        started = self._ask({"op": "start_engines", "n": n, "engine_set": engine_set_id})
        set_id: str = started["engine_set"]
        self.engines[set_id] = EngineSet(self, set_id, n)
        return set_id

    async def start_engines(self, n: int | None = None, engine_set_id: str | None = None, **options: Any) -> str:
        """See `start_engines_sync`."""
        return await asyncio.to_thread(self.start_engines_sync, n, engine_set_id, **options)

    def scale(self, n: int, *, timeout: float | None = 60.0) -> None:
        """Has `n` engines be there, whatever their sets, and waits for that. See `Client.scale`."""
        with self.connect_client_sync() as client:
            client.scale(n, timeout=timeout)
        self.engines = {set_id: engines for set_id, engines in self._running_sets().items() if engines.n}

    def _start(self, n: int) -> None:
        if self.controller is not None and self.controller.running:
            raise RuntimeError(f"{self!r} is running already; start_engines() adds engines to it")
        if self.autoscale is not None:
            n = min(max(n, self.autoscale[0]), self.autoscale[1])
        arguments = ["--engines", str(n), "--profile", self.profile, "--cluster-id", self.cluster_id]
        arguments += ["--launcher", self.launcher, *self._flags, *self._scaling]
        if self._ephemeral:
            arguments.append("--ephemeral")
        if self.launcher == "local":
            # Engines elsewhere have a Python, and folders, of their own.
            arguments += ["--python", sys.executable]
        if self.work_dir is not None:
            arguments += ["--work-dir", self.work_dir]
        env = {**os.environ, "PARAPLY_HOME": str(Path(self.profile_dir).absolute().parent)}
        self._supervisor = Supervisor.start(arguments, env=env, outlive=not self.shutdown_atexit)
        if not self.shutdown_atexit and (reason := self._supervisor.wait(self.engine_timeout)):
            # Nobody else would hear of it.
            self._supervisor.end()
            raise RuntimeError(reason)
        self._control = self._supervisor.control
        self.controller = Controller(self)
        self.engines = {}
        if n and self._supervisor.engine_set:
            self.engines[self._supervisor.engine_set] = EngineSet(self, self._supervisor.engine_set, n)
        if self.shutdown_atexit:
            _to_stop.add(self)

    def _engine_count(self, n: int | None) -> int:
        return next((count for count in (n, self.n) if count is not None), os.cpu_count() or 1)

    # Connecting

    def connect_client_sync(self, **options: Any) -> Client:
        """A client of this cluster. `options` are the client's. Its `cluster` is this cluster."""
        from paraply.client.client import Client

        return Client(self.connection_file, cluster=self, **options)

    async def connect_client(self, **options: Any) -> Client:
        """See `connect_client_sync`."""
        return await asyncio.to_thread(self.connect_client_sync, **options)

    def start_and_connect_sync(self, n: int | None = None, activate: bool = False) -> Client:
        """Starts the cluster if it does not run, connects, and waits for all engines.

        Args:
            n: Engines to start.
            activate: Whether the client's `%px` is the one that IPython has.
        """
        if self.controller is None or not self.controller.running:
            self.start_cluster_sync(n)
        client = None
        try:
            client = self.connect_client_sync()
            if self._supervisor is not None:
                # Waiting for engines that will not come ends with the client.
                self._supervisor.on_failure(client.close)
            n = sum(engines.n for engines in self.engines.values())
            client.wait_for_engines(n, timeout=self.engine_timeout)
        except Exception as error:
            if client is not None:
                client.close()
            patience = 0.0 if isinstance(error, TimeoutError) else FAILURE_PATIENCE
            if self._supervisor is not None and (reason := self._supervisor.wait(patience)):
                raise RuntimeError(reason) from error
            raise
        if activate:
            client.activate()
        return client

    async def start_and_connect(self, n: int | None = None, activate: bool = False) -> Client:
        """See `start_and_connect_sync`."""
        return await asyncio.to_thread(self.start_and_connect_sync, n, activate)

    def __enter__(self) -> Client:
        try:
            self._client = self.start_and_connect_sync()
        except BaseException:
            self.stop_cluster_sync()
            raise
        return self._client

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._process != os.getpid():
            return  # a forked child that leaves the block by an exception, SystemExit for one
        if self._client is not None:
            self._client.close(linger=0)  # nothing that it would still send outlives the cluster
            self._client = None
        self.stop_cluster_sync()

    async def __aenter__(self) -> Client:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, where)

    # Stopping

    def stop_cluster_sync(self) -> None:
        """Stops everything and returns when it is gone. Nothing happens if nothing runs."""
        if self._control is not None:
            try:
                _control.stop(self._control)
            finally:
                if self._supervisor is not None:
                    self._supervisor.end(_control.STOP_PATIENCE)
        _to_stop.discard(self)
        self._supervisor = self._control = None
        self.engines = {}

    async def stop_cluster(self) -> None:
        """See `stop_cluster_sync`."""
        await asyncio.to_thread(self.stop_cluster_sync)

    def stop_controller_sync(self) -> None:
        """Stops the services, and with them everything: engines do not outlive their supervisor."""
        self.stop_cluster_sync()

    async def stop_controller(self) -> None:
        """See `stop_controller_sync`."""
        await self.stop_cluster()

    def stop_engines_sync(self, engine_set_id: str | None = None) -> None:
        """Ends a set of engines, or all. Raises KeyError for a set that is not there."""
        self._ask({"op": "stop_engines", "engine_set": engine_set_id})
        for set_id in [engine_set_id] if engine_set_id is not None else list(self.engines):
            self.engines.pop(set_id, None)

    async def stop_engines(self, engine_set_id: str | None = None) -> None:
        """See `stop_engines_sync`."""
        await asyncio.to_thread(self.stop_engines_sync, engine_set_id)

    def stop_engine_sync(self, engine_id: int) -> None:
        """Ends one engine. Raises KeyError for one that is not there."""
        self._ask({"op": "stop_engines", "engine_id": engine_id})

    async def stop_engine(self, engine_id: int) -> None:
        """See `stop_engine_sync`."""
        await asyncio.to_thread(self.stop_engine_sync, engine_id)

    def restart_engines_sync(self, engine_set_id: str | None = None) -> None:
        """Ends a set of engines, or all, and starts as many in the same set. The new ones have new ids."""
        self._ask({"op": "restart_engines", "engine_set": engine_set_id})

    async def restart_engines(self, engine_set_id: str | None = None) -> None:
        """See `restart_engines_sync`."""
        await asyncio.to_thread(self.restart_engines_sync, engine_set_id)

    def restart_engine_sync(self, engine_id: int) -> None:
        """Ends one engine and starts another in its set. The new one has a new id."""
        self._ask({"op": "restart_engines", "engine_id": engine_id})

    async def restart_engine(self, engine_id: int) -> None:
        """See `restart_engine_sync`."""
        await asyncio.to_thread(self.restart_engine_sync, engine_id)

    def signal_engines_sync(self, signum: int, engine_set_id: str | None = None) -> None:
        """Sends a signal to the processes of a set of engines, or of all."""
        self._ask({"op": "signal_engines", "signal": int(signum), "engine_set": engine_set_id})

    async def signal_engines(self, signum: int, engine_set_id: str | None = None) -> None:
        """See `signal_engines_sync`."""
        await asyncio.to_thread(self.signal_engines_sync, signum, engine_set_id)

    def signal_engine_sync(self, engine_id: int, signum: int = signal.SIGINT) -> None:
        """Sends a signal to the process of one engine."""
        self._ask({"op": "signal_engines", "signal": int(signum), "engine_id": engine_id})

    async def signal_engine(self, engine_id: int, signum: int = signal.SIGINT) -> None:
        """See `signal_engine_sync`."""
        await asyncio.to_thread(self.signal_engine_sync, engine_id, signum)

    # Looking

    @property
    def folder(self) -> Path:
        """Where the cluster's files are."""
        return Path(self.profile_dir) / self.cluster_id

    @property
    def connection_file(self) -> str:
        """What a client of this cluster reads."""
        return str(self.folder / "connection.json")

    @property
    def cluster_file(self) -> str:
        """What was started, for `from_file`."""
        return str(self.folder / "cluster.json")

    @property
    def engine_set(self) -> EngineSet | None:
        """The first set of engines, which is the only one as a rule."""
        return next(iter(self.engines.values()), None)

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` needs to find this cluster again."""
        return {"class": "paraply.cluster.Cluster", "cluster": Record.read(Path(self.cluster_file)).to_dict()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Cluster:
        """A cluster that another process has started. It is not stopped when this process ends."""
        return cls._attached(Record.from_dict(content["cluster"]))

    @classmethod
    def from_file(
        cls,
        cluster_file: str | os.PathLike[str] | None = None,
        *,
        profile: str | None = None,
        profile_dir: str | os.PathLike[str] | None = None,
        cluster_id: str = "",
    ) -> Cluster:
        """A cluster that another process has started, such as `paraply start`.

        Raises:
            FileNotFoundError: None of that name runs.
        """
        if cluster_file is None:
            folder = Path(profile_dir) if profile_dir is not None else home() / (profile or "default")
            cluster_file = folder / (cluster_id or "default") / "cluster.json"
        record = Record.read(Path(cluster_file))
        if not _control.is_running(record.control):
            raise FileNotFoundError(f"the cluster of {str(cluster_file)!r} does not run any more")
        return cls._attached(record)

    @classmethod
    def _attached(cls, record: Record) -> Cluster:
        cluster = cls(
            n=record.engines, profile_dir=record.profile_dir, cluster_id=record.cluster_id, shutdown_atexit=False
        )
        cluster._control = record.control
        cluster.controller = Controller(cluster)
        cluster.engines = cluster._running_sets()
        return cluster

    def _running_sets(self) -> dict[str, EngineSet]:
        """The sets that the supervisor has now, with as many engines as there are processes."""
        sets = self._ask({"op": "status"})["engine_sets"]
        return {set_id: EngineSet(self, set_id, len(engines)) for set_id, engines in sets.items()}

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._control is None:
            raise RuntimeError(f"{self!r} does not run: start_cluster() or start_controller() starts it")
        return _control.ask(self._control, request)

    def __repr__(self) -> str:
        parts = [f"cluster_id={self.cluster_id!r}", f"profile={self.profile!r}"]
        if self.controller is not None:
            parts.append(f"controller=<{self.controller.state}>")
        if self.engines:
            parts.append(f"engine_sets={list(self.engines)}")
        return f"<{type(self).__name__}({', '.join(parts)})>"


def _new_cluster_id() -> str:
    letters = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(4))
    return f"{int(time.time())}-{letters}"


@atexit.register
def _stop_at_exit() -> None:
    for cluster in list(_to_stop):
        print(f"Stopping cluster {cluster!r}", flush=True)
        cluster.stop_cluster_sync()


# A cluster ends with the process that started it, and not with one that was forked from it.
os.register_at_fork(after_in_child=_to_stop.clear)
