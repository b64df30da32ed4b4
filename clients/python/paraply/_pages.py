"""Memory for large results: pages that nobody has touched, or those of a result that nobody has any more. Most of the time
of a large copy goes into making pages."""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
import threading
import time
from dataclasses import dataclass

#: Results from so many bytes on get pages of their own.
MAPPED_BYTES = 1 << 20
#: How many mappings are looked at again.
_REUSED = 4
#: Their bytes, the most that may stay though nobody needs them: more where the system takes them when it needs some.
_REUSED_BYTES = 2 << 30 if hasattr(mmap, "MADV_FREE") else 512 << 20
#: Seconds after which a mapping is forgotten that is still in use, or that is not and nobody has taken.
_PATIENCE = 5.0
#: Seconds between two looks.
_INTERVAL = 1.0
#: References to a mapping of which there is no view: that of the list's entry, and that of the question.
_UNUSED = 2


@dataclass(slots=True)
class _Lent:
    """A mapping that somebody was given."""

    pages: mmap.mmap
    #: When that was, or when nobody had any of it any more.
    since: float
    #: Whether the system may take its pages.
    is_offered: bool = False

    @property
    def is_unused(self) -> bool:
        return sys.getrefcount(self.pages) == _UNUSED


class Pages:
    """Mappings that were given to somebody a moment ago. An exported buffer holds a reference to the object it is of, so
    the count of references tells when nobody has any of the memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Oldest first.
        self._lent: list[_Lent] = []
        self._watched = False

    def room(self, size: int) -> bytearray | memoryview:
        """Writable memory of `size` bytes, with whatever in it."""
        if size < MAPPED_BYTES or not hasattr(mmap, "MAP_ANONYMOUS"):
            return bytearray(size)
        return memoryview(self._mapping(size))

    def _mapping(self, size: int) -> mmap.mmap:
        with self._lock:
            for position, lent in enumerate(self._lent):
                if len(lent.pages) == size and lent.is_unused:
                    pages = self._lent.pop(position).pages
                    break
            else:
                pages = _map(size)
            self._lent.append(_Lent(pages, time.monotonic()))
            while len(self._lent) > _REUSED or sum(len(lent.pages) for lent in self._lent) > _REUSED_BYTES:
                del self._lent[0]
            if self._lent and not self._watched:
                self._watched = True
                threading.Thread(target=self._watch, name="paraply-pages", daemon=True).start()
            return pages

    def _watch(self) -> None:
        while self._watched:
            time.sleep(_INTERVAL)
            self._let_go()

    def _let_go(self) -> None:
        """Offers what nobody needs to the system, and forgets what has been in use, or in no use, for long."""
        now = time.monotonic()
        with self._lock:
            for lent in self._lent:
                if lent.is_unused and not lent.is_offered:
                    lent.is_offered, lent.since = True, now
                    _offer(lent.pages)
            self._lent = [lent for lent in self._lent if now < lent.since + _PATIENCE]
            self._watched = bool(self._lent)

    def after_fork(self) -> None:
        """In a forked child, whose parent has the threads and the same pages."""
        self.__init__()  # type: ignore[misc]


def _map(size: int) -> mmap.mmap:
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without large ones
            pages.madvise(mmap.MADV_HUGEPAGE)
    return pages


def _offer(pages: mmap.mmap) -> None:
    """Lets the system have the pages when it needs some: until they are written to again, what is in them may go."""
    if hasattr(mmap, "MADV_FREE"):
        with contextlib.suppress(OSError):  # a kernel that keeps them
            pages.madvise(mmap.MADV_FREE)


pages = Pages()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pages.after_fork)
