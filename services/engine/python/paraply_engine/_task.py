"""What a task can ask about itself, and send beside its result."""

from __future__ import annotations

from dataclasses import dataclass

from paraply_engine import _native

_PUBLISHED = 6


@dataclass(frozen=True, slots=True)
class Task:
    """The running task."""

    #: The `msg_id` that the client knows it by.
    id: str
    #: Which run of it this is, from 1. More than 1: an earlier run was lost on its way or failed.
    attempt: int


def current_task() -> Task | None:
    """The task that runs in this process; None outside an engine, between tasks, and in processes that a task forked."""
    running = _native.current_task()
    if running is None:
        return None
    session, index, attempt = running
    return Task(f"{session.hex()}_{index}", attempt)


def publish(pickled: bytes) -> None:
    """Sends a pickled value to the task's client at once. Raises RuntimeError where no task runs."""
    _native.emit(_PUBLISHED, pickled)
