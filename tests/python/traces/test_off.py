"""Where nobody traces, nothing of it is there: no thread, no import, no span."""

from __future__ import annotations

import contextlib
from pathlib import Path

from home import Home
from spans_collector import collecting
from traced import Started, run

IMPORTS = """
def imported():
    import sys
    return [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"]

for value in dview.apply_sync(imported):
    assert value == [], value
assert view.map_sync(abs, range(20)) == list(range(20))
assert dview.execute("a = 1", block=True).successful()
assert imported() == []
"""


def threads(home: Home) -> set[str]:
    """Names of the threads of a cluster's processes."""
    names = set()
    for task in [task for process in home.processes() for task in Path(f"/proc/{process.pid}/task").iterdir()]:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            names.add((task / "comm").read_text().strip())
    return names


def test_nothing_is_imported_and_no_thread_started(started: Started) -> None:
    with started() as home:
        run(home, IMPORTS)
        assert "paraply-spans" not in threads(home)


def test_disabled_is_off_though_there_is_a_collector(started: Started) -> None:
    with collecting() as collector:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_SDK_DISABLED": "true"}
        with started(**variables) as home:
            run(home, IMPORTS)
            assert "paraply-spans" not in threads(home)
            home.run("stop", "--all")
        assert collector.spans == []


def test_a_user_who_traces_without_a_collector_of_ours_has_the_calls_in_it(started: Started) -> None:
    program = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)

def current():
    from opentelemetry import trace
    return trace.get_current_span().get_span_context()

assert not view.apply_sync(current).is_valid
assert kept.get_finished_spans() == ()
with trace.get_tracer("mine").start_as_current_span("outer") as outer:
    seen = view.apply_sync(current)
call, _ = kept.get_finished_spans()
assert call.name == "apply current" and call.parent.span_id == outer.get_span_context().span_id
assert (seen.trace_id, seen.span_id) == (call.context.trace_id, call.context.span_id)
"""
    with started() as home:
        run(home, program)
