"""The span of a call: from its submission to its last result, however many messages it travels in."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from paraply import _traces

try:
    from opentelemetry import trace
except ImportError:  # the environment asks for traces, and there is nothing to make them with
    trace = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from paraply.client._call import CallSpec


class CallSpan:
    """One call that is traced.

    Args:
        span: Its span, which is sampled.
        tasks: How many results it has.
    """

    __slots__ = ("_failed", "_lock", "_remaining", "_span", "_tasks", "traceparent")

    def __init__(self, span: Span, tasks: int) -> None:
        self._span = span
        self._lock = threading.Lock()
        self._tasks = self._remaining = tasks
        self._failed = 0
        context = span.get_span_context()
        #: What tells the cluster whose child its own spans are.
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"

    def submitted(self, first_index: int) -> None:
        """The call has its place in the session."""
        self._span.set_attribute("paraply.call.first_index", first_index)

    def refused(self, error: Exception) -> None:
        """It was not submitted, or not all of it: what is under way of it is not waited for."""
        with self._lock:
            self._remaining = 0
        self._end(f"{type(error).__name__}: {error}")

    def task_done(self, error: str | None) -> None:
        """One of its tasks has its result, or has failed."""
        with self._lock:
            self._remaining -= 1
            self._failed += error is not None
            if self._remaining:
                return
        if not self._failed:
            self._end(None)
        elif self._tasks == 1:
            self._end(error)
        else:
            self._end(f"{self._failed} of {self._tasks} tasks failed")

    def _end(self, error: str | None) -> None:
        if error is not None:
            self._span.set_status(trace.Status(trace.StatusCode.ERROR, error[:256]))
        self._span.end()
        _traces.under_way.discard(self)


def begin(spec: CallSpec, session: str, *, exports: bool) -> CallSpan | None:
    """See `paraply._traces.begin`. `exports`: the environment asks for spans, also where the user's program makes none."""
    tasks = spec.count()
    if trace is None or not tasks or not (exports or trace.get_current_span().is_recording()):
        return None
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        from paraply._traces import provider as own

        found = own.provider("paraply-client") if exports else None
        if found is None:
            return None
        provider = found
    attributes: dict[str, str | int] = {
        "paraply.session.id": session,
        "paraply.call.tasks": tasks,
        "paraply.call.placement": "direct" if spec.direct else "balanced",
    }
    span = provider.get_tracer("paraply").start_span(
        f"{spec.verb} {spec.name}".strip(), kind=trace.SpanKind.CLIENT, attributes=attributes
    )
    if spec.engine_ids:
        span.set_attribute("paraply.call.engines", list(spec.engine_ids))
    sampled = span.is_recording() and span.get_span_context().trace_flags.sampled
    return CallSpan(span, tasks) if sampled else None
