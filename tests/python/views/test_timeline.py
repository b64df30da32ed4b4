"""`ar.timeline()`: where the time between a call and its result goes."""

from __future__ import annotations

import time
from typing import Any

import pytest

from paraply.error import TaskAborted

STEPS = ["submitted", "accepted", "claimed", "started", "finished", "delivered"]


def test_each_task_has_its_steps_in_order(lview: Any) -> None:
    begun = time.time()
    result = lview.map_async(time.sleep, [0.05] * 8)
    result.get(timeout=60)
    timeline = result.timeline()
    assert [times.msg_id for times in timeline] == result.msg_ids
    for times in timeline:
        steps = [getattr(times, step) for step in STEPS]
        assert steps == sorted(steps)
        assert begun <= times.submitted and times.delivered <= time.time()
        assert times.finished - times.started >= 0.05
        assert set(times.since_submitted()) == set(STEPS[1:])
    # Eight tasks on four engines: half of them wait for the others.
    assert sum(times.started - times.submitted >= 0.05 for times in timeline) >= 4


def test_what_has_not_come_is_not_known(dview: Any) -> None:
    view = dview.client[dview.targets[0]]
    running = view.apply_async(time.sleep, 3)
    waiting = view.apply_async(time.sleep, 0)
    (times,) = waiting.timeline()
    assert times.since_submitted() == {}
    assert str(waiting.timeline()).splitlines()[2].split()[2:] == ["-"] * 5
    waiting.abort()
    with pytest.raises(TaskAborted):
        waiting.get(timeout=60)
    (times,) = waiting.timeline()
    assert set(times.since_submitted()) == {"accepted", "delivered"}
    running.get(timeout=60)
    table = running.timeline()
    assert table._repr_html_().count("<th>") == table._repr_html_().count("<td>") == 7
    assert float(str(table).splitlines()[2].split()[-1]) >= 500
