"""The example of a client that knows an address and a token, as a module."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[3] / "examples" / "stranger.py"


def stranger(address: str, token: str, service: str = "paraply.scheduler.v1.TaskService") -> Any:
    """A `Stranger` of the example's."""
    spec = importlib.util.spec_from_file_location("stranger", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Stranger(address, token, service)
