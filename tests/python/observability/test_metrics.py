"""What services show on their admin listeners is what was run."""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from home import Home, eventually
from scrape import Scrape

import paraply

SLEEP = 0.05


def test_tasks_are_counted_by_what_became_of_them(home: Home) -> None:
    home.start(2, "--admin")
    scheduler = home.record()["admin"]["scheduler"]
    with paraply.Client() as rc:
        rc.wait_for_engines(2, timeout=30)
        begun = time.monotonic()
        assert rc[:].map_sync(abs, range(40)) == list(range(40))
        assert len(rc[:].apply_sync(bytes, 1000)) == 2
        rc.load_balanced_view().map_async(time.sleep, [SLEEP] * 6, chunksize=1).get()
        with pytest.raises(paraply.error.CompositeError):
            rc[:].apply_sync(int, "x")
        view = rc.load_balanced_view()
        view.retries = 1
        with pytest.raises(paraply.error.RemoteError, match="invalid literal"):
            view.apply_sync(int, "x")
        large = rc[0].apply_sync(len, bytes(5 << 20))
        assert large == 5 << 20
        took = time.monotonic() - begun

        def settled() -> Scrape | None:
            scrape = Scrape(scheduler)
            return scrape if scrape.value("paraply_tasks_unfinished") == 0 else None

        now = eventually(settled, "every task has its outcome")
        outcomes = now.labelled("paraply_tasks_finished_total", "outcome")
        # Of a map over all engines each engine has one task.
        assert outcomes["ok"] == 2 + 2 + 6 + 1
        assert outcomes["exception"] == 2 + 1
        assert sum(outcomes.values()) == now.value("paraply_tasks_submitted_total") == 14
        assert now.value("paraply_tasks_retried_total") == 1

        for name in ("paraply_task_queue_seconds", "paraply_task_run_seconds", "paraply_task_total_seconds"):
            assert now.value(f"{name}_count") == 14 == now.value(f"{name}_bucket", le="+Inf"), name
            buckets = now.labelled(f"{name}_bucket", "le")
            assert list(buckets.values()) == sorted(buckets.values())
        ran = now.value("paraply_task_run_seconds_sum")
        assert 6 * SLEEP <= ran <= 2 * took
        assert ran <= now.value("paraply_task_total_seconds_sum") <= 14 * took
        assert now.value("paraply_task_run_seconds_bucket", le="0.025") <= 14 - 6

        assert now.labelled("paraply_engines", "state") == {"attached": 2, "draining": 0}
        assert now.labelled("paraply_sessions", "state") == {"connected": 1, "away": 0}
        # The run that was tried again is one more.
        assert sum(now.labelled("paraply_engine_tasks_finished_total", "engine").values()) == 15
        assert now.labelled("paraply_engine_tasks_queued", "engine") == {"0": 0, "1": 0}
        assert 5 << 20 <= now.labelled("paraply_blob_bytes_total", "direction")["received"] < 6 << 20
        assert 5 << 20 <= now.labelled("paraply_blob_bytes_total", "direction")["sent"] < 6 << 20
        payloads = now.labelled("paraply_payload_bytes_total", "kind")
        assert 2000 < payloads["result"] < 100_000
        assert 0 < payloads["argument"] < 100_000
        session = {"service": "paraply.scheduler.v1.TaskService", "method": "OpenSession", "code": "OK"}
        assert now.value("paraply_rpcs_total", **session) == 1
    eventually(
        lambda: Scrape(scheduler).labelled("paraply_sessions", "state") == {"connected": 0, "away": 0},
        "the session has ended",
    )


def test_the_controller_counts_members(home: Home) -> None:
    home.start(2, "--admin")
    admin = home.record()["admin"]
    controller = Scrape(admin["controller"])
    assert controller.labelled("paraply_engines", "state") == {"registered": 0, "attached": 2, "draining": 0}
    assert controller.value("paraply_schedulers") == 1
    assert controller.value("paraply_engines_wanted") == 0, "there is nothing to do"
    assert controller.labelled("paraply_registrations_total", "role") == {"engine": 2, "scheduler": 1}
    assert controller.labelled("paraply_lease_expiries_total", "role") == {"engine": 0, "scheduler": 0}
    made = {"service": "paraply.controller.v1.MembershipService", "method": "RegisterMember", "code": "OK"}
    assert controller.value("paraply_rpcs_total", **made) == 3
    for service in ("controller", "scheduler"):
        scrape = Scrape(admin[service])
        assert 1 << 20 < scrape.value("paraply_process_resident_memory_bytes") < 1 << 30
        assert 0 < scrape.value("paraply_process_cpu_seconds_total") < 60
        assert 0 < scrape.value("paraply_actor_busy_seconds_total") < 60
        assert 0 <= scrape.value("paraply_actor_response_seconds") < 1
        assert abs(scrape.value("paraply_process_start_time_seconds") - time.time()) < 60
        assert scrape.value("paraply_ready") == 1
        assert scrape.value("paraply_build_info", version=paraply.__version__) == 1


def test_every_metric_is_in_the_documentation_and_every_one_there_exists(home: Home) -> None:
    home.start(1, "--admin")
    documented = Path(__file__).parents[3] / "docs" / "observability.md"
    in_tables = set(re.findall(r"^\| `(paraply_\w+)`", documented.read_text(), re.MULTILINE))
    shown = set.union(*(Scrape(address).names for address in home.record()["admin"].values()))
    assert shown == in_tables


def test_probes_and_nothing_else(home: Home) -> None:
    home.start(1, "--admin")
    for address in home.record()["admin"].values():
        for path in ("/healthz", "/readyz"):
            with urlopen(f"http://{address}{path}", timeout=30) as answer:
                assert answer.read() == b"ok\n"
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"http://{address}/", timeout=30)
        with pytest.raises(HTTPError, match="405"):
            urlopen(f"http://{address}/metrics", data=b"x", timeout=30)


def test_nothing_is_shown_unless_somebody_asked_for_it(home: Home) -> None:
    home.start(1)
    assert "admin" not in home.record()
    for service in ("controller", "scheduler"):
        assert "admin listener" not in home.log(service)


def test_a_restarted_service_shows_its_figures_where_they_were(home: Home) -> None:
    home.start(1, "--admin")
    address = home.record()["admin"]["scheduler"]
    with paraply.Client() as rc:
        view = rc[:]
        view.apply_sync(abs, -1)
        before = home.status()["scheduler"]["pid"]
        next(process for process in home.processes() if process.pid == before).kill()
        assert view.apply_sync(abs, -2) == [2]
        eventually(lambda: Scrape(address).labelled("paraply_engines", "state")["attached"] == 1, "it shows them again")


def test_an_address_that_is_taken_is_named(home: Home) -> None:
    home.start(1, "--admin")
    for name in ("client", "engine"):
        (home.folder / name).write_text(f"{name}-token-0123456789\n")
    taken = home.record()["admin"]["controller"]
    tokens = ["--client-token-file", "client", "--engine-token-file", "engine", "--listen", "127.0.0.1:0"]
    said = home.run("controller", "--cluster-id", "lab", *tokens, "--admin", taken, expect=1)
    assert taken in said
    assert "`admin`" in said
