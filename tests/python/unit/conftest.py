from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from notebook import Notebook


@pytest.fixture
def notebook() -> Notebook:
    """An empty notebook over an engine with an empty namespace."""
    return Notebook()
