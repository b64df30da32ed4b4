"""`paraply explain` says where tasks are, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from home import Home, eventually

import paraply
from paraply.util import interactive


@interactive
def wait_for(marker: str) -> None:
    import os
    import time

    while not os.path.exists(marker):
        time.sleep(0.01)


def test_of_tasks_that_run_wait_and_are_over(home: Home, tmp_path: Path) -> None:
    home.start(1)
    marker = tmp_path / "go"
    with paraply.Client() as rc:
        rc.wait_for_engines(1, timeout=30)
        done = rc[0].apply_async(abs, -1)
        done.get(timeout=30)
        running = rc[0].apply_async(wait_for, str(marker))
        queued = rc[0].apply_async(abs, -2)
        names = [*running.msg_ids, *queued.msg_ids, *done.msg_ids, "0" * 32 + "_7"]

        def explained() -> list[dict[str, Any]]:
            return json.loads(home.run("explain", "--json", *names))

        eventually(lambda: explained()[0]["state"] == "running", "the first is running")
        first, second, third, unknown = explained()
        assert first["why"] == "engine 0 has started it, in attempt 1"
        assert second["state"] in ("queued", "assigned") and "engine 0" in second["why"]
        assert third["state"] in ("finished", "delivered")
        assert unknown["state"] is None
        text = home.run("explain", *names)
        assert f"{names[0]}: running; engine 0 has started it" in text
        assert "not known: it never was, or its session has ended" in text
        marker.touch()
        assert queued.get(timeout=30) == 2


def test_of_what_is_no_name_of_a_task(home: Home) -> None:
    assert "32 hexadecimal digits" in home.run("explain", "nonsense", expect=2)
