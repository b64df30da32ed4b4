"""When each task came to what: where the time between a call and its result goes."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

#: What is told of a task, in order.
_STEPS = ("accepted", "claimed", "started", "finished", "delivered")


class TaskTimes(NamedTuple):
    """One task. Times are seconds since the Unix epoch, or None while it has not come to that (or never will: a task that
    was aborted never starts). Where client, scheduler and engine are on several machines, so are their clocks."""

    #: Its name, as in `ar.msg_ids`.
    msg_id: str
    #: Where it ran, or runs.
    engine_id: int | None
    #: Client's clock: the call was made.
    submitted: float
    #: Scheduler's clock: it holds the task.
    accepted: float | None
    #: Engine's clock: it will start it next, and nobody else will.
    claimed: float | None
    #: Engine's clock: user code began.
    started: float | None
    #: Engine's clock: user code ended.
    finished: float | None
    #: Client's clock: the result is here.
    delivered: float | None

    def since_submitted(self) -> dict[str, float]:
        """Seconds from the call to each step that it has come to."""
        steps = ((step, getattr(self, step)) for step in _STEPS)
        return {step: time - self.submitted for step, time in steps if time is not None}


class Timeline(list[TaskTimes]):
    """The tasks of a result, in order. Shows itself as a table of milliseconds since each call."""

    def rows(self) -> list[tuple[str, ...]]:
        """The table: a heading, and a row for each task."""
        heading = ("task", "engine", *_STEPS)
        return [heading, *(_row(times) for times in self)]

    def __str__(self) -> str:
        rows = self.rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
        return "\n".join(["milliseconds since the call", *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heading, *rows = self.rows()
        head = "".join(f"<th>{escape(cell)}</th>" for cell in heading)
        cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
        body = "".join(f"<tr>{row}</tr>" for row in cells)
        caption = "<caption>milliseconds since the call</caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(times: TaskTimes) -> tuple[str, ...]:
    since = times.since_submitted()
    steps = (f"{since[step] * 1e3:.3f}" if step in since else "-" for step in _STEPS)
    index = times.msg_id.rpartition("_")[2]
    return (index, "-" if times.engine_id is None else str(times.engine_id), *steps)
