"""Who waits for long is told what for."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest
from home import Home, eventually

import paraply
from paraply.client import _explain
from paraply.util import interactive


@interactive
def wait_for(go: str, runs: str) -> str:
    import os
    import time

    open(runs, "w").close()
    while not os.path.exists(go):
        time.sleep(0.01)
    return "went"


def test_a_wait_that_times_out_says_why(rc: paraply.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_explain, "_PATIENCE", 10)
    go, runs = tmp_path / "go", tmp_path / "runs"
    running = rc[2].apply_async(wait_for, str(go), str(runs))
    everywhere = rc[:].apply_async(abs, -1)
    eventually(runs.exists, "it runs")
    eventually(lambda: "engine 2 has started it" in running.explain(), "the scheduler knows")
    with pytest.raises(TimeoutError, match=rf"^Result not ready\. wait_for {running.msg_ids[0]} is running: engine 2"):
        running.get(timeout=1)
    eventually(lambda: everywhere.progress == 3, "the other engines are done")
    with pytest.raises(TimeoutError) as caught:
        everywhere.get(timeout=1)
    first, second = str(caught.value).splitlines()
    assert first == "Result not ready. 1 of 4 tasks are not finished:"
    assert re.match(rf"  abs {everywhere.msg_ids[2]} is (queued: in the queue of|assigned: sent to) engine 2,", second)
    with pytest.raises(TimeoutError, match=r"^Result not ready\.$"):
        running.get(timeout=0.01)
    go.touch()
    assert running.get(timeout=30) == "went"
    assert everywhere.get(timeout=30) == [1] * 4
    assert running.explain() == "All tasks are finished."


def test_silence_of_the_cluster_is_told_and_its_end_too(
    home: Home, rc: paraply.Client, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    go, runs = tmp_path / "go", tmp_path / "runs"
    running = rc[0].apply_async(wait_for, str(go), str(runs))
    eventually(runs.exists, "it runs")
    scheduler, supervisor = home.status()["scheduler"]["pid"], home.record()["pid"]
    told: list[str] = []

    def says(text: str) -> bool:
        told.append(capfd.readouterr().err)
        return text in "".join(told)

    # A supervisor that is stopped starts no other scheduler.
    os.kill(supervisor, signal.SIGSTOP)
    try:
        os.kill(scheduler, signal.SIGKILL)
        eventually(lambda: says("does not answer"), "the user is told")
        assert "1 task not finished" in "".join(told)
        asked = time.monotonic()
        with pytest.raises(TimeoutError, match="the scheduler does not say why"):
            running.get(timeout=1)
        assert time.monotonic() - asked < 10
    finally:
        os.kill(supervisor, signal.SIGCONT)
    go.touch()
    assert running.get(timeout=60) == "went"
    eventually(lambda: says("the cluster answers again"), "the user is told that it is over")
    assert "".join(told).count("does not answer") == 1
