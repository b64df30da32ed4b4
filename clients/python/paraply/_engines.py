"""The engines there are, as the scheduler's messages say, in order with results."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from paraply._proto.common.v1 import peer_pb2

if TYPE_CHECKING:
    from paraply._proto.scheduler.v1 import session_pb2


class Engines:
    """Engines by id. Written by one thread, read by any."""

    def __init__(self) -> None:
        self._attached: dict[int, peer_pb2.Engine] = {}
        #: Ids in order. Replaced, never changed.
        self.ids: tuple[int, ...] = ()
        #: Every process that was seen, also those that are gone: ids are never reused.
        self._uuids: dict[int, str] = {}
        self._changed = threading.Condition()
        #: Engines that left since the start, as (id, reason).
        self.departures: list[tuple[int, str]] = []

    def replace(self, engines: list[peer_pb2.Engine]) -> None:
        """Takes the list of all engines, in place of what was known."""
        with self._changed:
            now = {engine.engine_id: _copy(engine) for engine in engines}
            self.departures += [(gone, "left while we were away") for gone in self._attached if gone not in now]
            self._attached = now
            self._uuids.update((engine.engine_id, engine.incarnation.hex()) for engine in engines)
            self._settle()

    def update(self, events: list[session_pb2.Event]) -> None:
        """Takes engines joining and leaving, in order."""
        with self._changed:
            for event in events:
                if event.HasField("engine_joined"):
                    engine = _copy(event.engine_joined)
                    self._attached[engine.engine_id] = engine
                    self._uuids[engine.engine_id] = engine.incarnation.hex()
                elif self._attached.pop(event.engine_left.engine_id, None) is not None:
                    self.departures.append((event.engine_left.engine_id, event.engine_left.reason))
            self._settle()

    def _settle(self) -> None:
        self.ids = tuple(sorted(self._attached))
        self._changed.notify_all()

    def uuid(self, engine_id: int) -> str | None:
        """Which process has or had the id."""
        return self._uuids.get(engine_id)

    def get(self, engine_id: int) -> peer_pb2.Engine | None:
        """What is known of an attached engine."""
        return self._attached.get(engine_id)

    def labels(self, engine_id: int) -> dict[str, str]:
        """What an attached engine carries; nothing for one that is not."""
        engine = self._attached.get(engine_id)
        return {} if engine is None else dict(engine.labels)

    def wait_until(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        """Waits until `condition` holds, asked after every change. Returns whether it does."""
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    def after_fork(self) -> None:
        """In a forked child: the lock may be held by a thread that is not here."""
        self._changed = threading.Condition()

    def wake(self) -> None:
        """Asks the conditions of those who wait again."""
        with self._changed:
            self._changed.notify_all()


def _copy(engine: peer_pb2.Engine) -> peer_pb2.Engine:
    """The engine without the message that it came in, which may be large."""
    copy = peer_pb2.Engine()
    copy.CopyFrom(engine)
    return copy
