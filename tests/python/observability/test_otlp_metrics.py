"""Metrics leave by OTLP, now and then and at the end, and whatever becomes of the collector hurts nobody."""

from __future__ import annotations

import socket
import time

from home import Home, eventually
from metrics_collector import collector
from opentelemetry.proto.metrics.v1 import metrics_pb2

import paraply

CUMULATIVE = metrics_pb2.AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE


def numbers(metric: metrics_pb2.Metric) -> dict[str, float]:
    """The points of a counter, by the value of their one label."""
    return {point.attributes[0].value.string_value: point.as_double for point in metric.sum.data_points}


def export_to(home: Home, address: str, interval_millis: int) -> None:
    """Has the services of the next cluster send there."""
    home.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://{address}"
    home.env["OTEL_METRIC_EXPORT_INTERVAL"] = str(interval_millis)


def test_the_last_figures_leave_when_a_service_ends(home: Home) -> None:
    with collector() as there:
        # No other than the last is due in the time of this test.
        export_to(home, there.address, 600_000)
        home.env["OTEL_EXPORTER_OTLP_HEADERS"] = "x-tenant=a%20b"
        home.start(2)
        with paraply.Client() as rc:
            rc.wait_for_engines(2, timeout=30)
            rc[:].map_sync(abs, range(10))
        assert there.metrics_of("paraply-scheduler") == []
        home.run("stop")
        [scheduler] = there.metrics_of("paraply-scheduler")
        [controller] = there.metrics_of("paraply-controller")
        assert all(headers["x-tenant"] == "a b" for headers in there.headers)
    finished = scheduler["paraply_tasks_finished_total"]
    assert numbers(finished)["ok"] == 2
    assert (finished.sum.is_monotonic, finished.sum.aggregation_temporality) == (True, CUMULATIVE)
    [ran] = scheduler["paraply_task_run_seconds"].histogram.data_points
    assert (ran.count, sum(ran.bucket_counts), len(ran.bucket_counts)) == (2, 2, len(ran.explicit_bounds) + 1)
    assert 0 < ran.start_time_unix_nano < ran.time_unix_nano <= time.time_ns()
    assert scheduler["paraply_task_run_seconds"].unit == "s"
    assert scheduler["paraply_held_bytes"].unit == "By"
    assert numbers(controller["paraply_registrations_total"]) == {"engine": 2, "scheduler": 1}


def test_figures_leave_now_and_then_and_are_totals(home: Home) -> None:
    with collector() as there:
        export_to(home, there.address, 100)
        home.start(1)
        with paraply.Client() as rc:
            for count in range(1, 4):
                rc[:].apply_sync(abs, -1)

                def told(count: int = count) -> bool:
                    sent = there.metrics_of("paraply-scheduler")
                    return bool(sent) and numbers(sent[-1]["paraply_tasks_finished_total"])["ok"] == count

                eventually(told, f"{count} tasks are told of")
        home.run("stop")


def test_a_collector_that_is_not_there_is_a_line_in_the_log(home: Home) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        export_to(home, f"127.0.0.1:{closed.getsockname()[1]}", 20)
        home.start(1)
        complaint = "did not take the metrics"
        eventually(lambda: complaint in home.log("scheduler"), "it complains")
        with paraply.Client() as rc:
            assert rc[:].map_sync(abs, range(100)) == list(range(100))
        begun = time.monotonic()
        home.run("stop")
        assert time.monotonic() - begun < 10


def test_a_collector_that_says_nothing_delays_no_end(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        export_to(home, f"127.0.0.1:{silent.getsockname()[1]}", 100)
        home.start(1)
        with paraply.Client() as rc:
            assert rc[:].apply_sync(abs, -1) == [1]
        home.run("stop")
        # Three seconds after it was told to end it would have been killed, without a word.
        assert "scheduler ends" in home.log("scheduler")


def test_a_collector_that_answers_nonsense_is_a_line_in_the_log(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hostile:
        hostile.settimeout(30)
        export_to(home, f"127.0.0.1:{hostile.getsockname()[1]}", 100)
        home.start(1)
        for _ in range(4):
            connection, _ = hostile.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"\xff" * 100_000)
        with paraply.Client() as rc:
            assert rc[:].apply_sync(abs, -1) == [1]
        home.run("stop")
        assert home.log("scheduler").count("did not take the metrics") == 1
