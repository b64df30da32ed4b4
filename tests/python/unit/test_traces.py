"""The span of a call: when there is one, when it ends, and how."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from paraply import _traces
from paraply._proto.scheduler.v1 import session_pb2
from paraply._session import wire
from paraply._traces import calls
from paraply._traces.calls import CallSpan
from paraply.client._call import CallSpec, Execute


@pytest.fixture
def kept() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(kept: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> Iterator[TracerProvider]:
    """The user's own. A process has one for good, so that it is only looked up in its place."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield provider
    provider.shutdown()


def spec(tasks: int) -> CallSpec:
    return CallSpec(Execute("a = 1", silent=True), engine_ids=list(range(tasks)), name="execute")


def begin(provider: TracerProvider, tasks: int = 1) -> CallSpan:
    """A call within a span of the user's."""
    with provider.get_tracer("mine").start_as_current_span("outer"):
        span = _traces.begin(spec(tasks), "5e55")
    assert span is not None
    return span


def ended(kept: InMemorySpanExporter) -> list[ReadableSpan]:
    return [span for span in kept.get_finished_spans() if span.name != "outer"]


def test_without_a_span_that_is_recorded_there_is_none(provider: TracerProvider) -> None:
    assert not _traces.asked.exports
    assert _traces.begin(spec(1), "5e55") is None


def test_nor_where_it_is_not_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: TracerProvider(ALWAYS_OFF, shutdown_on_exit=False))
    assert calls.begin(spec(1), "5e55", exports=True) is None


def test_it_ends_with_the_last_result(provider: TracerProvider, kept: InMemorySpanExporter) -> None:
    span = begin(provider, tasks=2)
    span.submitted(7)
    span.task_done(None)
    assert not ended(kept) and _traces.under_way == {span}
    span.task_done(None)
    (only,) = ended(kept)
    assert only.status.is_unset and only.attributes is not None
    assert only.attributes["paraply.call.first_index"] == 7
    assert only.attributes["paraply.call.engines"] == (0, 1)
    assert not _traces.under_way


@pytest.mark.parametrize(("tasks", "message"), [(1, "ValueError: no"), (3, "1 of 3 tasks failed")])
def test_a_failure_is_its_status(
    provider: TracerProvider, kept: InMemorySpanExporter, tasks: int, message: str
) -> None:
    span = begin(provider, tasks)
    span.task_done("ValueError: no")
    for _ in range(tasks - 1):
        span.task_done(None)
    (only,) = ended(kept)
    assert not only.status.is_ok and only.status.description == message


def test_a_call_that_is_refused_half_way_ends_once(
    provider: TracerProvider, kept: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    span = begin(provider, tasks=2)
    span.refused(ValueError("too large"))
    span.task_done(None)
    span.task_done(None)
    (only,) = ended(kept)
    assert only.status.description == "ValueError: too large"
    assert not caplog.records
    assert not _traces.under_way


def test_the_trace_travels_in_the_options_beside_what_calls_share(provider: TracerProvider) -> None:
    span = begin(provider)
    options = ("simulate", "mine", 3, 0, None, None, False)
    head = wire.call_head(b"d" * 32, None, False, (), options)
    call = session_pb2.Call.FromString(head + wire.traceparent(span.traceparent))
    assert (call.options.name, call.options.priority) == ("simulate", 3)
    assert call.options.traceparent == span.traceparent
    version, trace_id, span_id, flags = span.traceparent.split("-")
    assert (version, len(trace_id), len(span_id), int(flags, 16) & 1) == ("00", 32, 16, 1)
    span.task_done(None)
