"""`paraply trace`: when tasks ran and where, for a trace viewer."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from home import Home, eventually

import paraply
from paraply.util import interactive


@interactive
def fail() -> None:
    raise ValueError("on purpose")


@interactive
def wait_for(marker: str) -> None:
    import os
    import time

    while not os.path.exists(marker):
        time.sleep(0.01)


def phases(trace: dict[str, Any], phase: str) -> list[dict[str, Any]]:
    return [event for event in trace["traceEvents"] if event["ph"] == phase]


def test_of_what_ran_runs_and_waits(home: Home, tmp_path: Path) -> None:
    home.start(2)
    marker = tmp_path / "go"
    with paraply.Client() as other, paraply.Client() as rc:
        rc.wait_for_engines(2, timeout=30)
        other[0].apply_sync(abs, -1)
        done = rc.load_balanced_view().map_async(time.sleep, [0.02] * 2500)
        failed = rc[1].apply_async(fail)
        done.abort()
        done.wait(60)
        assert failed.exception(60) is not None
        ran = rc.load_balanced_view().map_async(time.sleep, [0.001] * 1500)
        ran.get(timeout=60)
        running = rc[0].apply_async(wait_for, str(marker))
        waiting = rc[0].apply_async(abs, -2)
        session = running.msg_ids[0].partition("_")[0]
        eventually(lambda: "has started it" in running.explain(), "it is running")

        assert "tasks of 2 sessions" in home.run("trace", "-o", "all.json")
        assert "tasks of 1 sessions" in home.run("trace", session[:8], "-o", "trace.json")
        assert home.run("trace", session, "-o", "same.json").startswith("4003 tasks")
        trace = json.loads((tmp_path / "trace.json").read_text())
        spans = {event["args"]["task"]: event for event in phases(trace, "X")}
        assert spans.keys() >= {*ran.msg_ids, *running.msg_ids, *failed.msg_ids}
        assert waiting.msg_ids[0] not in spans
        assert all(spans[name]["dur"] >= 1_000 for name in ran.msg_ids)
        assert spans[failed.msg_ids[0]]["cat"] == "failed"
        assert spans[failed.msg_ids[0]]["args"]["failure"] == "FAILURE_KIND_EXCEPTION"
        assert spans[running.msg_ids[0]]["args"]["state"] == "running"
        assert spans[running.msg_ids[0]]["pid"] == 1
        begins, ends = phases(trace, "b"), phases(trace, "e")
        assert {event["id"] for event in begins} == {event["id"] for event in ends} >= {*waiting.msg_ids, *spans}
        names = {event["args"].get("name") for event in phases(trace, "M")}
        assert names >= {"engine 0", "engine 1", "waiting"}
        marker.touch()
        waiting.get(timeout=30)


def test_of_what_is_no_session(home: Home) -> None:
    assert "32 hexadecimal digits" in home.run("trace", "nonsense", "-o", "-", expect=2)
