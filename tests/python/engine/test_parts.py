"""An engine that lacks a part of itself ends: it would look alive and do nothing, or do nothing else but look."""

from __future__ import annotations

import os
from typing import Any


def test_an_engine_whose_descriptors_a_task_has_closed_ends_instead_of_spinning(fresh: Any, engine: Any) -> None:
    fresh.call(os.closerange, 3, 256)
    assert engine.process.wait(20) != 0


def test_an_engine_that_cannot_hear_of_work_any_more_ends_and_says_why(fresh: Any, engine: Any) -> None:
    def close_bell() -> None:
        for descriptor in os.listdir("/proc/self/fd"):
            try:
                if "eventfd" in os.readlink(f"/proc/self/fd/{descriptor}"):
                    os.close(int(descriptor))
            except OSError:
                continue

    fresh.call(close_bell)
    assert engine.process.wait(20) == 1
    assert "closed the engine's descriptors" in engine.logged() or "panicked" in engine.logged()
