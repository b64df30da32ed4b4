"""Memory for large results is used again when nobody has any of it, and only then."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from paraply import _pages
from paraply._pages import MAPPED_BYTES, Pages


@pytest.fixture
def pages() -> Pages:
    """As in a process that has received nothing yet. No thread looks after them."""
    pages = Pages()
    pages._watched = True
    return pages


def array(pages: Pages, size: int = MAPPED_BYTES) -> Any:
    """As unpickling makes them."""
    return np.frombuffer(pages.room(size), np.uint8)


def test_pages_are_used_again_when_the_last_view_of_them_is_gone(pages: Pages) -> None:
    first = array(pages)
    place, part = first.ctypes.data, memoryview(first)[5:6]
    first[5] = 26
    del first
    other = array(pages)
    other[:] = 7
    assert other.ctypes.data != place
    assert part[0] == 26, "somebody has a byte of it still"
    del part
    again = array(pages)
    assert again.ctypes.data == place
    assert not np.shares_memory(again, other)


def test_other_sizes_get_pages_of_their_own_and_small_ones_none(pages: Pages) -> None:
    place = array(pages).ctypes.data
    larger = array(pages, MAPPED_BYTES + 1)
    assert (len(larger), larger.ctypes.data == place) == (MAPPED_BYTES + 1, False)
    assert isinstance(pages.room(MAPPED_BYTES - 1), bytearray)


def test_what_nobody_needs_is_offered_and_then_goes_back(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = array(pages)
    place = array(pages, MAPPED_BYTES * 2).ctypes.data
    pages._let_go()
    assert [lent.is_offered for lent in pages._lent] == [False, True]
    again = array(pages, MAPPED_BYTES * 2)
    again[:] = 7
    assert again.ctypes.data == place
    pages._let_go()
    assert [lent.is_offered for lent in pages._lent] == [False, False]
    assert (again == 7).all()
    monkeypatch.setattr(_pages, "_PATIENCE", 0.0)
    pages._let_go()
    assert not pages._lent, "nor what is needed for long"
    assert not pages._watched, "the thread ends"
    assert needed.size == MAPPED_BYTES


def test_what_is_looked_at_is_bounded(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [array(pages) for _ in range(10)]
    assert len(pages._lent) == _pages._REUSED
    monkeypatch.setattr(_pages, "_REUSED_BYTES", MAPPED_BYTES * 3)
    held.append(array(pages, MAPPED_BYTES * 2))
    assert [len(lent.pages) for lent in pages._lent] == [MAPPED_BYTES, MAPPED_BYTES * 2]
    held.append(array(pages, MAPPED_BYTES * 4))
    assert not pages._lent, "it is larger than all that may stay"


def test_a_thread_lets_go_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pages, "_INTERVAL", 0.01)
    monkeypatch.setattr(_pages, "_PATIENCE", 0.1)
    pages = Pages()
    pages.room(MAPPED_BYTES)
    for thread in threading.enumerate():
        if thread.name == "paraply-pages":
            thread.join(timeout=30)
            assert not thread.is_alive()
    assert not pages._lent
