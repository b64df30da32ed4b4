"""The provider of a process whose environment names a collector and whose user has set none."""

from __future__ import annotations

import atexit
import importlib.util
import logging
import os
import platform
import threading
import time
from typing import TYPE_CHECKING

from paraply._transport.library import library
from paraply._version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

#: Seconds that the end of the process may wait for its last spans to leave.
LAST_SPANS = 1.0
#: Seconds between two lines in the log about a collector that takes none.
_BETWEEN_LINES = 60.0

_lock = threading.Lock()
_made: dict[str, TracerProvider | None] = {}


def provider(service: str, attributes: Mapping[str, str | int] | None = None) -> TracerProvider | None:
    """The provider of this process, made at the first call. None where the SDK is not installed; that is said once.

    Args:
        service: Its name, unless the environment gives one.
        attributes: What else is known of who exports.
    """
    with _lock:
        if service not in _made:
            _made[service] = _make(service, attributes or {})
        return _made[service]


def _make(service: str, attributes: Mapping[str, str | int]) -> TracerProvider | None:
    if not _is_installed():
        logging.getLogger("paraply").warning(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and there is nothing to export spans with: pip install 'paraply[otel]'"
        )
        return None
    library()
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    logging.getLogger("opentelemetry.exporter.otlp.proto.grpc.exporter").addFilter(_Seldom())
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    known = {"service.version": __version__, "host.name": platform.node(), "process.pid": os.getpid(), **attributes}
    resource = Resource.create(known if named else {"service.name": service, **known})
    made = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter()
    made.add_span_processor(BatchSpanProcessor(_while_ours(exporter)))
    _Parting(made, exporter)
    return made


def _is_installed() -> bool:
    try:
        names = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.grpc")
        return all(importlib.util.find_spec(name) is not None for name in names)
    except ModuleNotFoundError:  # a package above it
        return False


def _while_ours(exporter: SpanExporter) -> SpanExporter:
    """An exporter that does nothing in a forked child: the connection is the parent's."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    process = os.getpid()

    class WhileOurs(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return exporter.export(spans) if os.getpid() == process else SpanExportResult.FAILURE

        def shutdown(self) -> None:
            if os.getpid() == process:
                exporter.shutdown()

    return WhileOurs()


class _Parting:
    """Lets the last spans leave at the end of the process, and ends it in time where the collector does not take them.

    The SDK waits half a minute for an export that is under way. Threads cannot be started so late, so the one that breaks
    it off is there from the beginning.
    """

    def __init__(self, provider: TracerProvider, exporter: SpanExporter) -> None:
        self._provider = provider
        self._exporter = exporter
        self._process = os.getpid()
        self._leaving = threading.Event()
        self._left = threading.Event()
        threading.Thread(target=self._break_off, name="paraply-last-spans", daemon=True).start()
        atexit.register(self._leave)

    def _leave(self) -> None:
        if os.getpid() != self._process:
            return
        self._leaving.set()
        self._provider.shutdown()
        self._left.set()

    def _break_off(self) -> None:
        self._leaving.wait()
        if not self._left.wait(LAST_SPANS):
            self._exporter.shutdown()


class _Seldom(logging.Filter):
    """One line a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is time for one."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _BETWEEN_LINES
        return True
