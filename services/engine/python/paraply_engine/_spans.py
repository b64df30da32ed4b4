"""The span that a task runs in, for what user code traces itself. Imported when a task is traced, and not before."""

from __future__ import annotations

import logging

from paraply import _traces
from paraply_engine import _native

try:
    from opentelemetry import context, trace
    from opentelemetry.context import Context
except ImportError:  # user code traces nothing then
    context = None  # type: ignore[assignment]

#: What was current before the task.
_before: Context | None = None
_has_provider = False


def enter(traceparent: str) -> None:
    """Makes the span of this `traceparent`, which the engine exports, the current one."""
    global _before
    if context is None:
        return
    if not _has_provider:
        _provide()
    _, trace_id, span_id, flags = traceparent.split("-")
    span_context = trace.SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=trace.TraceFlags(int(flags, 16))
    )
    _before = context.get_current()
    context.attach(trace.set_span_in_context(trace.NonRecordingSpan(span_context), _before))


def leave() -> None:
    """Makes current what was so before, whatever user code has left behind, and wherever an interrupt came."""
    global _before
    if _before is not None:
        context.attach(_before)
        _before = None


def _provide() -> None:
    """What user code traces is exported, where the environment says where to and user code has not seen to it."""
    global _has_provider
    _traces.asked.look()
    try:
        if _traces.asked.exports and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            from paraply._traces.provider import provider

            made = provider("paraply-engine", {"paraply.engine.id": _native.engine_id()})
            if made is not None:
                trace.set_tracer_provider(made)
    except Exception:  # whatever is wrong with it, the task is not to blame
        logging.getLogger("paraply").exception("spans of user code are not exported")
    _has_provider = True
