"""The subresource `portforward` of pods, over a WebSocket: what `kubectl port-forward` and its like use.

Each port has a channel for bytes and one for an error; a message begins with the channel's number, and the first message of a
channel says which port it is for (https://kubernetes.io/docs/reference/using-api/api-concepts, v4.channel.k8s.io).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

_PROTOCOLS = [Subprotocol("v4.channel.k8s.io")]
_DATA, _ERROR = 0, 1


def serve(request: BaseHTTPRequestHandler, address: str) -> None:
    """Takes over the connection of a request, for one port of the pod at an address, until either end closes."""
    (port,) = map(int, parse_qs(urlsplit(request.path).query)["ports"])
    request.close_connection = True
    protocol, outside, sending = ServerProtocol(subprotocols=_PROTOCOLS), request.connection, threading.Lock()

    def flush() -> None:
        for data in protocol.data_to_send():
            if data:
                outside.sendall(data)

    def send(channel: int, data: bytes) -> None:
        with sending:
            # The other end may be about to close.
            if protocol.state is State.OPEN:
                protocol.send_binary(bytes([channel]) + data)
                flush()

    head = f"{request.requestline}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    protocol.receive_data(f"{head}\r\n".encode())
    (asked,) = protocol.events_received()
    assert isinstance(asked, Request)
    protocol.send_response(protocol.accept(asked))
    flush()
    for channel in (_DATA, _ERROR):
        send(channel, port.to_bytes(2, "little"))
    try:
        pod = socket.create_connection((address, port), timeout=5)
    except OSError as error:
        send(_ERROR, str(error).encode())
        return
    pod.settimeout(None)

    def from_pod() -> None:
        with contextlib.suppress(OSError):
            while data := pod.recv(65536):
                send(_DATA, data)
            with sending:
                if protocol.state is State.OPEN:
                    protocol.send_close()
                    flush()

    back = threading.Thread(target=from_pod, daemon=True)
    back.start()
    with pod, contextlib.suppress(OSError):
        while data := request.rfile.read1(65536):
            protocol.receive_data(data)
            for frame in protocol.events_received():
                if isinstance(frame, Frame) and frame.opcode is Opcode.BINARY and frame.data[0] == _DATA:
                    pod.sendall(bytes(frame.data[1:]))
        pod.shutdown(socket.SHUT_RDWR)
    back.join()
