"""One trace goes from a call through the scheduler to the engine, and what a task traces itself is in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from spans_collector import Span, collecting
from traced import Started, run

#: Tasks that are traced at a time.
MOST = 40

PROGRAM = """
import os, time

def sleeps(marker):
    import pathlib, time
    pathlib.Path(marker).touch()
    time.sleep(600)

def works(x):
    from opentelemetry import trace
    with trace.get_tracer("mine").start_as_current_span("inside"):
        return x + 1

def fails(x):
    raise ValueError("nothing of the sort")

def forks(x):
    import multiprocessing
    def in_child():
        from opentelemetry import trace
        with trace.get_tracer("mine").start_as_current_span("in a child"):
            pass
    child = multiprocessing.get_context("fork").Process(target=in_child)
    child.start()
    child.join()
    return child.exitcode

def current(x):
    from opentelemetry import trace
    return trace.get_current_span().get_span_context().trace_flags

def double(x):
    return 2 * x

for engine in (0, 1):
    marker = os.path.abspath(f"sleeps-{engine}")
    slow = rc[engine].apply_async(sleeps, marker)
    while not os.path.exists(marker):
        time.sleep(0.005)
    assert slow.cancel()
    assert isinstance(slow.exception(20), paraply.RemoteError)
assert view.apply_sync(works, 1) == 2
try:
    view.apply_sync(fails, 1)
except paraply.RemoteError:
    pass
else:
    sys.exit("it did not fail")
assert view.apply_sync(forks, 1) == 0
assert sorted(view.map_sync(current, range(100))) == [0] * 60 + [1] * 40
dview.execute("a = 1", block=True)
dview.push({"b": 2}, block=True)

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "mine"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
with trace.get_tracer("mine").start_as_current_span("outer"):
    assert list(view.imap(double, range(3))) == [0, 2, 4]
"""


@pytest.fixture(scope="module")
def spans(started: Started) -> Iterator[list[Span]]:
    """All that the processes of a cluster and of a program have exported by the time that they have ended."""
    with collecting() as collector:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "PARAPLY_SCHEDULER_TRACED_TASKS": str(MOST)}
        with started(**variables) as home:
            run(home, PROGRAM)
            home.run("stop", "--all")
        yield collector.spans


def named(spans: list[Span], name: str) -> list[Span]:
    return [span for span in spans if span.name == name]


def children(spans: list[Span], parent: Span) -> list[Span]:
    return [span for span in spans if (span.trace, span.parent) == (parent.trace, parent.id)]


def child(spans: list[Span], parent: Span) -> Span:
    """The only one. It lies within its parent."""
    (only,) = children(spans, parent)
    assert parent.start <= only.start <= only.end <= parent.end, (parent, only)
    return only


def test_one_trace_goes_through_three_processes_and_the_task(spans: list[Span]) -> None:
    (call,) = named(spans, "apply works")
    scheduled = child(spans, call)
    task = child(spans, scheduled)
    ran = child(spans, task)
    inside = child(spans, ran)
    line = [call, scheduled, task, ran, inside]
    assert [span.name for span in line] == ["apply works", "schedule works", "task works", "run works", "inside"]
    services = ["paraply-client", "paraply-scheduler", "paraply-scheduler", "paraply-engine", "paraply-engine"]
    assert [span.service for span in line] == services
    assert call.parent == b""
    assert {span.trace for span in line} == {call.trace}
    assert not any(span.failed for span in line)
    assert not children(spans, inside)


def test_each_says_whose_it_is(spans: list[Span]) -> None:
    (call,) = named(spans, "apply works")
    scheduled = child(spans, call)
    task = child(spans, scheduled)
    ran = child(spans, task)
    assert call.attributes["paraply.call.tasks"] == scheduled.attributes["paraply.call.tasks"] == 1
    sessions = {span.attributes["paraply.session.id"] for span in (call, scheduled, task, ran)}
    assert len(sessions) == 1
    event, at = task.events[-1]
    assert event == "claimed"
    assert task.start <= at <= task.end
    assert task.attributes["paraply.engine.id"] == ran.resource["paraply.engine.id"]
    pids = {span.resource["process.pid"] for span in (call, scheduled, ran)}
    assert len(pids) == 3
    for span in (scheduled, ran):
        assert span.resource["paraply.cluster.id"] == "default"
        assert span.resource["service.version"] and span.resource["host.name"]


def test_a_failure_is_told_by_every_span_of_its_task(spans: list[Span]) -> None:
    (call,) = named(spans, "apply fails")
    scheduled = child(spans, call)
    task = child(spans, scheduled)
    ran = child(spans, task)
    for span in (call, task, ran):
        assert span.failed and span.message == "ValueError: nothing of the sort", span
    assert scheduled.failed and scheduled.message == "1 of 1 tasks failed"


def test_what_is_interrupted_says_so_and_leaves_nothing_to_the_next_task(spans: list[Span]) -> None:
    calls = named(spans, "apply sleeps")
    for call in calls:
        ran = child(spans, child(spans, child(spans, call)))
        assert call.failed and ran.failed and ran.message.startswith("KeyboardInterrupt"), ran
    assert len(calls) == 2
    (inside,) = named(spans, "inside")
    assert inside.trace not in {call.trace for call in calls}


def test_a_map_is_one_call_and_of_its_tasks_no_more_than_the_bound(spans: list[Span]) -> None:
    (call,) = named(spans, "map current")
    scheduled = child(spans, call)
    tasks = children(spans, scheduled)
    assert call.attributes["paraply.call.tasks"] == 100
    assert len(tasks) == MOST
    assert scheduled.attributes["paraply.call.untraced"] == 100 - MOST
    runs = [child(spans, task) for task in tasks]
    assert len(named(spans, "run current")) == len(runs) == MOST
    assert len({span.resource["paraply.engine.id"] for span in runs}) == 2


def test_code_and_data_are_calls_too(spans: list[Span]) -> None:
    for name in ("execute", "push"):
        (call,) = named(spans, name)
        assert call.attributes["paraply.call.placement"] == "direct"
        tasks = children(spans, child(spans, call))
        assert len(tasks) == 2
        assert len({child(spans, task).resource["paraply.engine.id"] for task in tasks}) == 2


def test_a_child_that_a_task_forks_exports_nothing_and_keeps_nobody(spans: list[Span]) -> None:
    (call,) = named(spans, "apply forks")
    assert not call.failed
    assert not named(spans, "in a child")


def test_calls_are_children_of_the_span_that_the_user_is_in(spans: list[Span]) -> None:
    (outer,) = named(spans, "outer")
    calls = children(spans, outer)
    assert [call.name for call in calls] == ["apply double"] * 3
    assert {call.service for call in calls} == {outer.service} == {"mine"}
    for call in calls:
        assert child(spans, child(spans, child(spans, call))).name == "run double"


def test_nothing_is_sent_that_is_not_sampled(started: Started) -> None:
    with collecting() as collector:
        with started(OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint) as home:
            run(home, "assert view.map_sync(abs, range(20)) == list(range(20))", OTEL_TRACES_SAMPLER="always_off")
            run(home, "assert view.apply_sync(pow, 2, 3) == 8")
            home.run("stop", "--all")
        names = sorted(span.name for span in collector.spans)
        assert names == ["apply pow", "run pow", "schedule pow", "task pow"]
