"""The message ids of what a view has sent."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paraply.client._call import Task


class History:
    """Remembers stretches of indexes, not tasks: a million calls in a row take the room of one. Threads may share it."""

    __slots__ = ("_ends", "_lock", "_session", "_starts")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session = ""
        #: Where each stretch begins, and where the next thing begins after it. In order.
        self._starts = array("Q")
        self._ends = array("Q")

    def add(self, tasks: Sequence[Task]) -> None:
        """Adds tasks, in order. Those of one call follow one another, as calls do between which no other thread had one."""
        with self._lock:
            for call in dict.fromkeys(task.call for task in tasks):
                self._session = call.link.session_hex
                self._add(call.first_index, call.first_index + call.count)

    def _add(self, start: int, end: int) -> None:
        if self._ends and self._ends[-1] == start:
            self._ends[-1] = end
            return
        # Threads may come here in another order than they have submitted.
        position = bisect_right(self._starts, start)
        self._starts.insert(position, start)
        self._ends.insert(position, end)

    def msg_ids(self) -> list[str]:
        """All message ids, oldest first."""
        with self._lock:
            spans = list(zip(self._starts, self._ends, strict=True))
        return [f"{self._session}_{index}" for start, end in spans for index in range(start, end)]

    def __contains__(self, msg_id: str) -> bool:
        session, _, index = msg_id.rpartition("_")
        if session != self._session or not index.isdecimal():
            return False
        with self._lock:
            position = bisect_right(self._starts, int(index)) - 1
            return position >= 0 and int(index) < self._ends[position]
