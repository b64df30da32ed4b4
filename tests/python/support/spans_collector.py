"""A collector for OpenTelemetry's spans in the process of a test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2


@dataclass(frozen=True)
class Span:
    """A span as it was exported. Times are nanoseconds since the Unix epoch."""

    name: str
    trace: bytes
    id: bytes
    parent: bytes
    kind: int
    start: int
    end: int
    failed: bool
    message: str
    attributes: dict[str, Any]
    events: list[tuple[str, int]]
    resource: dict[str, Any]

    @property
    def service(self) -> str:
        return self.resource["service.name"]


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps all that it is sent."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._spans: list[Span] = []
        self.endpoint = ""

    def Export(self, request: Any, context: Any) -> Any:
        spans = [
            _span(span, of_resource.resource.attributes)
            for of_resource in request.resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
        ]
        with self._changed:
            self._spans += spans
            self._changed.notify_all()
        return trace_service_pb2.ExportTraceServiceResponse()

    @property
    def spans(self) -> list[Span]:
        with self._changed:
            return list(self._spans)

    def wait_for(self, holds: Callable[[list[Span]], bool], seconds: float = 60) -> list[Span]:
        """Waits until the spans that have come are such, and returns them."""
        with self._changed:
            came = self._changed.wait_for(lambda: holds(self._spans), seconds)
            assert came, f"not within {seconds} s; there are {sorted(span.name for span in self._spans)}"
            return list(self._spans)


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens on a port of this machine."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(grace=None).wait()


def _span(span: trace_pb2.Span, resource: Any) -> Span:
    return Span(
        name=span.name,
        trace=span.trace_id,
        id=span.span_id,
        parent=span.parent_span_id,
        kind=span.kind,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        message=span.status.message,
        attributes=_attributes(span.attributes),
        events=[(event.name, event.time_unix_nano) for event in span.events],
        resource=_attributes(resource),
    )


def _attributes(pairs: list[KeyValue]) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
