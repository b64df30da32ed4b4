"""Machines on one machine: network namespaces around a router, which drops what a test tells it to.

Services listen on loopback addresses only. Here `127.1.n.2` is machine n, and the addresses of that range are routed
between the namespaces like any others: the services and their peers see plain TCP over a network. Links are as fast as this
machine, or slow and lossy where a test wants them to be (`Slow`).
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Self

import pytest

_ROUTER = "router"


def ip(*arguments: str) -> None:
    """Runs `ip`."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


@dataclass(frozen=True)
class Slow:
    """What the links of some machines are like.

    Args:
        machines: Whose links.
        seconds: That a packet takes, each way.
        loss: Share of packets that never arrive.
        seed: Decides which.
    """

    machines: tuple[str, ...]
    seconds: float = 0.0
    loss: float = 0.0
    seed: int = 0


class Network:
    """Machines of these names, each of which reaches each other. Use `network()`."""

    def __init__(self, machines: tuple[str, ...], slow: Slow) -> None:
        self._machines = machines
        self._slow = slow
        self._made: list[str] = []
        self._preferences = itertools.count(10)
        self._forwarder: subprocess.Popen[str] | None = None

    def address(self, machine: str) -> str:
        """Where it listens."""
        return f"127.1.{self._machines.index(machine) + 1}.2"

    def command(self, machine: str, *command: str) -> list[str]:
        """The command, to run on that machine."""
        return ["ip", "netns", "exec", _name(machine), *command]

    @contextmanager
    def cut(self, *ways: tuple[str, str], port: int | None = None) -> Iterator[None]:
        """What the first of a pair sends to the second (to that port, if one is named) is dropped, without a word to either."""
        only = () if port is None else ("ipproto", "tcp", "dport", str(port))
        rules = [("from", self.address(one), "to", self.address(other), *only, "blackhole") for one, other in ways]
        # A rule is removed by what is said of it, and one that says less goes for one that says more.
        preference = str(next(self._preferences))
        for rule in rules:
            ip("-n", _name(_ROUTER), "rule", "add", "pref", preference, *rule)
        try:
            yield
        finally:
            for rule in rules:
                ip("-n", _name(_ROUTER), "rule", "del", "pref", preference, *rule)

    def carried(self) -> dict[tuple[str, str], int]:
        """Bytes that TCP connections over slow links have moved from one machine to another."""
        names = {self.address(machine): machine for machine in self._machines}
        sums: dict[tuple[str, str], int] = {}
        for stream, moved in self._ask_forwarder()["streams"].items():
            source, target = (names[end.partition(":")[0]] for end in stream.split(">"))
            sums[source, target] = sums.get((source, target), 0) + moved
        return sums

    def lost(self) -> int:
        """Packets that slow links have lost."""
        return int(self._ask_forwarder()["lost"])

    def make(self) -> None:
        """Makes the namespaces and what connects them."""
        self._start_forwarder()
        self._add(_ROUTER)
        self._set(_ROUTER, "net.ipv4.ip_forward=1")
        for number, machine in enumerate(self._machines, 1):
            self._add(machine)
            here, there, link = _name(machine), _name(_ROUTER), f"to-{number}"
            if machine in self._slow.machines:
                for device, side, name in zip(self._devices(machine), (here, there), ("net", link), strict=True):
                    ip("link", "set", device, "netns", side, "name", name)
            else:
                ip("-n", there, "link", "add", link, "type", "veth", "peer", "name", "net", "netns", here)
            # The whole of 127/8 would be this machine itself.
            ip("-n", here, "link", "set", "lo", "up")
            ip("-n", here, "address", "del", "127.0.0.1/8", "dev", "lo")
            ip("-n", here, "address", "add", "127.0.0.1/32", "dev", "lo")
            for side, name, host in ((there, link, 1), (here, "net", 2)):
                ip("-n", side, "address", "add", f"127.1.{number}.{host}/24", "scope", "global", "dev", name)
                ip("-n", side, "link", "set", name, "up")
            ip("-n", here, "route", "add", "127.1.0.0/16", "via", f"127.1.{number}.1")

    def remove(self) -> None:
        """Removes them. What still runs there keeps its namespace until it ends."""
        if self._forwarder is not None:
            self._forwarder.communicate(timeout=30)
            assert self._forwarder.returncode == 0
        for machine in self._made:
            ip("netns", "del", _name(machine))

    def _devices(self, machine: str) -> tuple[str, str]:
        """Of a slow link, before they are where they belong: a name has at most 15 characters."""
        name = f"p{os.getpid()}-{self._machines.index(machine)}"
        return f"{name}a", f"{name}b"

    def _start_forwarder(self) -> None:
        slow = self._slow
        if not slow.machines:
            return
        links = [
            [*self._devices(machine), slow.seconds, slow.loss, f"{slow.seed} {machine}"] for machine in slow.machines
        ]
        command = [sys.executable, str(Path(__file__).with_name("forwarder.py")), json.dumps(links)]
        self._forwarder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._forwarder.stdout is not None and self._forwarder.stdout.readline() == "ready\n"

    def _ask_forwarder(self) -> dict[str, Any]:
        assert self._forwarder is not None and self._forwarder.stdin and self._forwarder.stdout
        self._forwarder.stdin.write("\n")
        self._forwarder.stdin.flush()
        return dict(json.loads(self._forwarder.stdout.readline()))

    def _add(self, machine: str) -> None:
        ip("netns", "add", _name(machine))
        self._made.append(machine)
        self._set(machine, "net.ipv4.conf.all.route_localnet=1", "net.ipv4.conf.all.rp_filter=0")

    def _set(self, machine: str, *settings: str) -> None:
        for setting in settings:
            name, _, value = setting.partition("=")
            path = f"/proc/sys/{name.replace('.', '/')}"
            subprocess.run(self.command(machine, "sh", "-c", f"echo {value} > {path}"), check=True)


def _name(machine: str) -> str:
    return f"paraply-{os.getpid()}-{machine}"


@contextmanager
def network(*machines: str, slow: Slow | None = None) -> Iterator[Network]:
    """Machines of these names; skips the test where none can be made. On continuous integration they can."""
    try:
        if slow and not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            raise FileNotFoundError("/dev/net/tun cannot be opened")
        subprocess.run(["ip", "netns", "add", _name("try")], check=True, capture_output=True, text=True)
        ip("netns", "del", _name("try"))
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", None) or str(error)
        assert "CI" not in os.environ, why
        pytest.skip(f"no network namespaces can be made here: {why.strip()}")
    made = Network(machines, slow or Slow(()))
    try:
        made.make()
        yield made
    finally:
        made.remove()


_PROGRAM = """
import json, sys
names = {}
for line in sys.stdin:
    source = json.loads(line)
    try:
        try:
            answer = {"value": eval(source, names)}
        except SyntaxError:
            exec(source, names)
            answer = {"value": None}
    except BaseException as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
"""


class There:
    """A Python process on one of the machines, which does what it is told, line by line."""

    def __init__(self, network: Network, machine: str, env: dict[str, str], folder: Path) -> None:
        self._process = subprocess.Popen(
            network.command(machine, sys.executable, "-c", _PROGRAM),
            env=env,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answers: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def __call__(self, source: str, timeout: float = 30) -> Any:
        """Evaluates or executes the source there.

        Raises:
            RuntimeError: What was raised there.
            TimeoutError: It takes longer than that.
        """
        self.begin(source)
        return self.end(timeout)

    def begin(self, source: str) -> None:
        """The same without waiting: `end` gives the value."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(source) + "\n")
        self._process.stdin.flush()

    def end(self, timeout: float = 30) -> Any:
        """The value of what was begun."""
        try:
            answer = json.loads(self._answers.get(timeout=timeout))
        except Empty:
            raise TimeoutError(f"no answer within {timeout} s") from None
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
