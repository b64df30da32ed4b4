"""Spans of calls, for whoever traces. OpenTelemetry is imported when there is something to trace, and not before."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paraply._proto.scheduler.v1.session_pb2 import TaskFinished
    from paraply._traces.calls import CallSpan
    from paraply.client._call import CallSpec
    from paraply.client._task import Task


class _Asked:
    """What the environment asks for, as it was when a client was last made here."""

    def __init__(self) -> None:
        #: Spans are to be exported.
        self.exports = False

    def look(self) -> None:
        """Reads the environment."""
        variable = os.environ.get
        endpoint = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or variable("OTEL_EXPORTER_OTLP_ENDPOINT")
        off = variable("OTEL_SDK_DISABLED", "").strip().lower() == "true" or variable("OTEL_TRACES_EXPORTER") == "none"
        self.exports = bool(endpoint) and not off


asked = _Asked()

#: Spans of calls that are not finished.
under_way: set[CallSpan] = set()


def begin(spec: CallSpec, session: str) -> CallSpan | None:
    """The span of a call that is about to be submitted, if somebody traces it."""
    if not asked.exports and "opentelemetry.trace" not in sys.modules:
        return None
    from paraply._traces import calls

    span = calls.begin(spec, session, exports=asked.exports)
    if span is not None:
        under_way.add(span)
    return span


def finished(results: Iterable[tuple[Task, TaskFinished]]) -> None:
    """Takes note of results, before anybody who waits for them is woken."""
    for task, event in results:
        span = task.call.span
        if span is not None:
            failure = event.outcome.failure if event.outcome.HasField("failure") else None
            span.task_done(None if failure is None else f"{failure.type_name}: {failure.message}")


def given_up(tasks: Iterable[Task], failure: Exception) -> None:
    """Takes note of tasks whose results will not come."""
    for task in tasks:
        span = task.call.span
        if span is not None:
            span.task_done(str(failure))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=under_way.clear)
