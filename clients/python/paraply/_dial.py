"""Finding the way to the scheduler: the controller says where it is, and the first address that answers is taken."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from paraply._connection import ConnectionInfo, is_here, read
from paraply._proto.common.v1 import peer_pb2
from paraply._proto.controller.v1 import cluster_pb2
from paraply._transport.base import Address, Transport, TransportError
from paraply._version import __version__

if TYPE_CHECKING:
    from paraply._transport.base import Connection

#: The revisions of the protocol that this client speaks.
PROTOCOL_MIN = PROTOCOL_MAX = 1
#: Seconds that the controller may take to answer.
ANSWER_TIMEOUT = 5.0
_GET_CLUSTER_INFO = "paraply.controller.v1.ClusterService/GetClusterInfo"


class Refused(ConnectionError):
    """The cluster does not take this client: trying again does not help."""


def peer_info() -> peer_pb2.PeerInfo:
    """Who this client is."""
    return peer_pb2.PeerInfo(
        version=__version__,
        protocol_min=PROTOCOL_MIN,
        protocol_max=PROTOCOL_MAX,
        python_version=platform.python_version(),
        hostname=socket.gethostname(),
        pid=os.getpid(),
        agent="paraply-python",
    )


def check_protocol(peer: peer_pb2.PeerInfo, what: str) -> None:
    """Raises Refused if `peer` speaks no revision of the protocol that this client speaks."""
    if peer.protocol_min <= PROTOCOL_MAX and peer.protocol_max >= PROTOCOL_MIN:
        return
    raise Refused(
        f"The cluster's {what} ({peer.agent or what} {peer.version}) speaks protocol revisions {peer.protocol_min} to "
        f"{peer.protocol_max}, this client (paraply {__version__}) {PROTOCOL_MIN} to {PROTOCOL_MAX}: "
        f"install releases that go together."
    )


class Dialler:
    """Connects to the cluster that `info` names.

    Args:
        transport: How.
    """

    def __init__(self, info: ConnectionInfo, transport: Transport) -> None:
        self.info = info
        self.limits = peer_pb2.Limits()
        self._transport = transport
        self._good: Address | None = None
        #: Why the last attempts failed, for the error that the user sees.
        self.problems: list[str] = []

    def connect(self, address: Address, *, bulk: bool = False) -> Connection:
        """A connection, which is not tried yet."""
        return self._transport.connect(address, self.info.credentials, bulk=bulk)

    def candidates(self) -> Iterator[Address]:
        """Where the scheduler may be, best first: where it was last, then where the controller says it is.

        Raises:
            Refused: The cluster does not take this client.
        """
        self.problems = []
        self._read_again()
        last = self._good
        if last is not None:
            yield last
        for controller in self.info.addresses:
            answer = self._ask(controller)
            if answer is None:
                continue
            if not answer.scheduler_endpoints:
                self.problems.append(f"{controller}: the cluster's scheduler is not there yet")
            for address in _addresses(answer, controller):
                if address != last:
                    yield address

    def _read_again(self) -> None:
        """Tokens and authorities may have taken another's place in the connection file."""
        if self.info.file is None:
            return
        with contextlib.suppress(OSError, ValueError):
            latest = read(self.info.file)
            if latest.cluster_id == self.info.cluster_id:
                self.info = replace(self.info, credentials=latest.credentials)

    def is_stopped(self) -> bool:
        """Whether the cluster has taken its connection file away, as it does when it is stopped on purpose."""
        return self.info.file is not None and not self.info.file.exists()

    def why(self) -> str:
        """What went wrong in the last attempt, for people; empty if nothing is known."""
        return "; ".join(dict.fromkeys(self.problems))

    def works(self, address: Address) -> None:
        """The scheduler of this cluster answered there."""
        self._good = address

    def failed(self, address: Address, failure: TransportError) -> None:
        """It did not. Raises Refused if trying again does not help."""
        if self._good == address:
            self._good = None
        if failure.code == "UNAUTHENTICATED":
            raise Refused(f"{address} refused the token of {self.info.source()}: {failure.message}")
        if failure.code in ("FAILED_PRECONDITION", "INVALID_ARGUMENT", "PERMISSION_DENIED"):
            raise Refused(f"{address} refused this client: {failure.message}")
        self.problems.append(f"{address}: {failure.message}")

    def check_cluster(self, cluster_id: str, address: Address) -> bool:
        """Whether the cluster found at an address is the one that is wanted."""
        if not self.info.cluster_id or cluster_id == self.info.cluster_id:
            return True
        self.problems.append(f"{address}: this is cluster {cluster_id!r}, not {self.info.cluster_id!r}")
        return False

    def _ask(self, address: Address) -> cluster_pb2.GetClusterInfoResponse | None:
        connection = self.connect(address)
        try:
            answer = connection.call(
                _GET_CLUSTER_INFO,
                cluster_pb2.GetClusterInfoRequest(peer=peer_info()),
                cluster_pb2.GetClusterInfoResponse,
                timeout=ANSWER_TIMEOUT,
            )
        except TransportError as failure:
            self.failed(address, failure)
            return None
        finally:
            connection.close()
        if not self.check_cluster(answer.cluster_id, address):
            return None
        check_protocol(answer.controller, "controller")
        if answer.HasField("scheduler"):
            check_protocol(answer.scheduler, "scheduler")
        self.limits = answer.limits
        return answer


def _addresses(answer: cluster_pb2.GetClusterInfoResponse, came_by: Address) -> Iterator[Address]:
    for endpoint in answer.scheduler_endpoints:
        kind = endpoint.WhichOneof("address")
        if kind == "same":
            yield came_by
        elif kind == "tcp":
            yield Address(tcp=endpoint.tcp)
        elif kind == "tls":
            yield Address(tls=endpoint.tls.address, server_name=endpoint.tls.server_name)
        elif kind == "unix" and is_here(endpoint.unix.path, endpoint.unix.boot_id):
            yield Address(path=endpoint.unix.path)
