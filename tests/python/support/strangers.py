"""Connections of nobody: they say nothing, or garbage, or all that is right but for the token."""

from __future__ import annotations

import itertools
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

#: Where they come from: each address has ports for some ten thousand of them.
SOURCES = itertools.cycle(f"127.0.0.{number}" for number in range(2, 12))

#: How many are at work at a time; the others of a crowd are only there.
_WORKERS = 32

_HEADERS, _SETTINGS = 1, 4


def crowd(address: str, n: int, authority: Path | None, meanwhile: Callable[[], object] = int) -> None:
    """`n` connections that are there at the same time: a third says nothing, a third garbage, a third has a wrong token.

    Args:
        authority: Of a port that speaks TLS.
        meanwhile: Called while all of them are there.
    """
    host, port = address.rsplit(":", 1)
    with ExitStack() as stack, ThreadPoolExecutor(_WORKERS) as pool:
        context = ssl.create_default_context(cafile=authority) if authority else None
        if context is not None:
            context.set_alpn_protocols(["h2"])
        kinds: Iterator[Callable[[socket.socket], object]] = itertools.cycle(
            (lambda _: None, _say_garbage, lambda connection: _show_a_wrong_token(stack, connection, context))
        )

        def one(kind: Callable[[socket.socket], object], source: str) -> None:
            connection = socket.create_connection((host, int(port)), timeout=30, source_address=(source, 0))
            stack.callback(connection.close)
            kind(connection)

        list(pool.map(one, itertools.islice(kinds, n), itertools.islice(SOURCES, n)))
        meanwhile()


def _say_garbage(connection: socket.socket) -> None:
    connection.sendall(bytes(range(256)))


def _show_a_wrong_token(stack: ExitStack, connection: socket.socket, context: ssl.SSLContext | None) -> None:
    if context is not None:
        connection = context.wrap_socket(connection, server_hostname="127.0.0.1")
        stack.callback(connection.close)
    headers = {
        ":method": "POST",
        ":scheme": "https",
        ":path": "/paraply.controller.v1.ClusterService/ListEngines",
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
        "authorization": f"Bearer {'x' * 64}",
    }
    block = b"".join(b"\x00" + _text(name) + _text(value) for name, value in headers.items())
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0) + _frame(_HEADERS, 0x5, 1, block))
    said = b""
    while _HEADERS not in (kinds := list(_kinds(said))):
        more = connection.recv(65536)
        assert more, f"hung up after {kinds}"
        said += more


def _text(text: str) -> bytes:
    """A string of HPACK, as it is."""
    assert len(text) < 127
    return bytes((len(text),)) + text.encode()


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _kinds(said: bytes) -> Iterator[int]:
    """The kinds of the whole frames in it."""
    while len(said) >= 9:
        length = int.from_bytes(said[:3], "big")
        if len(said) < 9 + length:
            return
        yield said[3]
        said = said[9 + length :]
