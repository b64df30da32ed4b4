"""Memory for large results: pages that nobody has touched, or those of a result that nobody has any more. Most of the time
of a large copy goes into making pages."""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
import threading
import time

#: Results from so many bytes on get pages of their own.
MAPPED_BYTES = 1 << 20
#: Mappings up to this size are looked at again: the largest that may stay for a moment though nobody needs it.
_REUSED_BYTES = 128 << 20
#: How many.
_REUSED = 4
#: Seconds after which a mapping that is still in use is not looked at any more.
_PATIENCE = 5.0
#: Seconds that one may stay which nobody needs.
_INTERVAL = 1.0
#: References to a mapping of which there is no view: that of the list, that of who looks, and that of the question.
_UNUSED = 3


class Pages:
    """Mappings that were given to somebody a moment ago. An exported buffer holds a reference to the object it is of, so
    the count of references tells when nobody has any of the memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lent: list[tuple[float, mmap.mmap]] = []
        self._watched = False

    def room(self, size: int) -> bytearray | memoryview:
        """Writable memory of `size` bytes, with whatever in it."""
        if size < MAPPED_BYTES or not hasattr(mmap, "MAP_ANONYMOUS"):
            return bytearray(size)
        return memoryview(self._mapping(size))

    def _mapping(self, size: int) -> mmap.mmap:
        with self._lock:
            for position, (_, pages) in enumerate(self._lent):
                if len(pages) == size and sys.getrefcount(pages) == _UNUSED:
                    del self._lent[position]
                    break
            else:
                pages = _map(size)
            if size <= _REUSED_BYTES:
                self._lent = [*self._lent[-_REUSED + 1 :], (time.monotonic(), pages)]
                if not self._watched:
                    self._watched = True
                    threading.Thread(target=self._watch, name="paraply-pages", daemon=True).start()
            return pages

    def _watch(self) -> None:
        while self._watched:
            time.sleep(_INTERVAL)
            self._let_go()

    def _let_go(self) -> None:
        """Forgets mappings: those that nobody needs, and those that somebody needs for longer."""
        now = time.monotonic()
        with self._lock:
            lent, self._lent = self._lent, []
            for since, pages in lent:
                if sys.getrefcount(pages) > _UNUSED and now < since + _PATIENCE:
                    self._lent.append((since, pages))
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


pages = Pages()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pages.after_fork)
