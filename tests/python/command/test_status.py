"""`paraply status`: what waits, and where."""

import os
import signal

from home import Home, eventually

import paraply


def test_tasks_that_no_engine_has_yet_are_counted(home: Home) -> None:
    home.start(1)
    assert home.status()["unassigned_tasks"] == 0
    engine = home.status()["engines"][0]["pid"]
    with paraply.Client() as rc:
        os.kill(engine, signal.SIGSTOP)
        try:
            calls = rc.load_balanced_view().map_async(abs, range(10_000))
            waiting = eventually(lambda: home.status()["unassigned_tasks"], "tasks wait", seconds=5)
            assert waiting > 5_000
            assert f"{waiting} tasks for any engine" in home.run("status")
        finally:
            os.kill(engine, signal.SIGCONT)
        assert len(calls.get(timeout=60)) == 10_000
    assert home.status()["unassigned_tasks"] == 0
