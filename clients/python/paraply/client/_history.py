"""The message ids of what a view has sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paraply.client._call import Task


class History:
    """Remembers calls, not tasks: a call of a million tasks takes the room of one."""

    __slots__ = ("_spans",)

    def __init__(self) -> None:
        self._spans: list[tuple[str, int]] = []

    def add(self, tasks: Sequence[Task]) -> None:
        """Adds the tasks of one call, whose indices follow one another."""
        if tasks:
            self._spans.append((tasks[0].msg_id, len(tasks)))

    def msg_ids(self) -> list[str]:
        """All message ids, oldest first."""
        found: list[str] = []
        for first, count in self._spans:
            session, _, index = first.rpartition("_")
            found += [f"{session}_{each}" for each in range(int(index), int(index) + count)]
        return found
