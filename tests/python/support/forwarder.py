"""Carries packets between pairs of TUN devices, late, and loses some: a slow network.

Run with a JSON list of `[one device, other device, seconds, share that is lost, seed]`. Makes the devices, says "ready",
and answers each line on its standard input with how many packets it has lost, and with what it was given to carry: how far
the byte stream of each TCP connection has come each way, by `source:port>destination:port`. What is sent again is not counted
again. Ends with its standard input.
"""

from __future__ import annotations

import errno
import fcntl
import heapq
import json
import os
import random
import selectors
import socket
import struct
import sys
import time
from itertools import count
from typing import Any

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_TCP, _SYN = 6, 0x02
#: Larger than any packet.
_PACKET = 1 << 16


class Way:
    """One direction of a link: what comes out of one device goes into the other."""

    def __init__(self, source: int, target: int, seconds: float, loss: float, seed: str) -> None:
        self.source, self._target, self._seconds, self._loss = source, target, seconds, loss
        self._random = random.Random(seed)
        self.lost = 0

    def read(self) -> tuple[float, bytes] | None:
        """A packet and when it is to arrive, which may be never; None if there is none."""
        try:
            packet = os.read(self.source, _PACKET)
        except BlockingIOError:
            return None
        if self._random.random() < self._loss:
            self.lost += 1
            return float("inf"), packet
        return time.monotonic() + self._seconds, packet

    def write(self, packet: bytes) -> None:
        """It arrives, if there is somebody."""
        try:
            os.write(self._target, packet)
        except OSError as error:
            # The device is down, or full; networks lose packets.
            if error.errno not in (errno.EIO, errno.EAGAIN, errno.ENOBUFS):
                raise


class Streams:
    """How far the byte streams of TCP connections have come."""

    def __init__(self) -> None:
        self._begun: dict[str, int] = {}
        self.bytes: dict[str, int] = {}

    def saw(self, packet: bytes) -> None:
        """A packet that was sent."""
        if packet[0] >> 4 != 4 or packet[9] != _TCP:
            return
        head = (packet[0] & 0x0F) * 4
        source, target, sequence = struct.unpack_from("!HHI", packet, head)
        ends = [f"{socket.inet_ntoa(packet[at : at + 4])}:{port}" for at, port in ((12, source), (16, target))]
        name = ">".join(ends)
        if packet[head + 13] & _SYN:
            self._begun[name] = sequence + 1
            return
        if name not in self._begun:
            return
        payload = int.from_bytes(packet[2:4], "big") - head - (packet[head + 12] >> 4) * 4
        # A FIN takes a number too, and no byte.
        end = (sequence + payload - self._begun[name]) % 2**32
        if payload:
            self.bytes[name] = max(self.bytes.get(name, 0), end)


def device(name: str) -> int:
    """Makes a TUN device."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return tun


def ways(links: list[list[Any]]) -> list[Way]:
    """Both directions of each link."""
    made = []
    for one, other, seconds, loss, seed in links:
        ends = device(one), device(other)
        made += [Way(*ends, seconds, loss, f"{seed} there"), Way(*reversed(ends), seconds, loss, f"{seed} back")]
    return made


def main() -> None:
    """Runs until standard input ends."""
    streams, on_the_way, numbers = Streams(), list[tuple[float, int, Way, bytes]](), count()
    selector = selectors.DefaultSelector()
    directions = ways(json.loads(sys.argv[1]))
    for way in directions:
        selector.register(way.source, selectors.EVENT_READ, way)
    selector.register(sys.stdin, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        wait = max(0.0, on_the_way[0][0] - time.monotonic()) if on_the_way else None
        for key, _ in selector.select(wait):
            if key.data is None:
                if not sys.stdin.readline():
                    return
                lost = sum(way.lost for way in directions)
                print(json.dumps({"lost": lost, "streams": streams.bytes}), flush=True)
                continue
            while (read := key.data.read()) is not None:
                due, packet = read
                streams.saw(packet)
                if due != float("inf"):
                    heapq.heappush(on_the_way, (due, next(numbers), key.data, packet))
        now = time.monotonic()
        while on_the_way and on_the_way[0][0] <= now:
            _, _, way, packet = heapq.heappop(on_the_way)
            way.write(packet)


if __name__ == "__main__":
    main()
