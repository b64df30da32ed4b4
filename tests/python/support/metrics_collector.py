"""A collector of metrics in the process of a test: OTLP, as services send it by gRPC."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc
from opentelemetry.proto.metrics.v1 import metrics_pb2


class Collector(metrics_service_pb2_grpc.MetricsServiceServicer):
    """Keeps what it is sent, in the order in which it came."""

    def __init__(self) -> None:
        self.address = ""
        self.headers: list[dict[str, str | bytes]] = []
        self._lock = threading.Lock()
        self._metrics: list[metrics_pb2.ResourceMetrics] = []

    def Export(
        self, request: metrics.ExportMetricsServiceRequest, context: grpc.ServicerContext
    ) -> metrics.ExportMetricsServiceResponse:
        with self._lock:
            self._metrics.extend(request.resource_metrics)
            self.headers.append(dict(context.invocation_metadata()))
        return metrics.ExportMetricsServiceResponse()

    def metrics_of(self, service: str) -> list[dict[str, metrics_pb2.Metric]]:
        """Each time that the service has sent its metrics, these by name."""
        with self._lock:
            sent = [each for each in self._metrics if resource(each).get("service.name") == service]
        return [{metric.name: metric for scope in each.scope_metrics for metric in scope.metrics} for each in sent]


def resource(of: metrics_pb2.ResourceMetrics) -> dict[str, str]:
    """What a process says of itself."""
    return {attribute.key: attribute.value.string_value for attribute in of.resource.attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector that listens."""
    server = grpc.server(ThreadPoolExecutor(4))
    collector = Collector()
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(collector, server)
    collector.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()
