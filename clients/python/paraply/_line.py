"""The writing side of one session stream."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator

from paraply._session.machine import ACK_DELAY

#: Gives the next message for a line, if there is one, and when to ask again though nothing happened.
NextMessage = Callable[["Line", float], tuple[bytes | None, float | None]]


class Line:
    """An iterator that the transport asks for the next message when the line is free.

    Args:
        next_message: Asked with the line and the time now.
    """

    def __init__(self, next_message: NextMessage) -> None:
        self._next_message = next_message
        self._signal = threading.Lock()
        self._signal.acquire()
        self._over = False
        #: Until when the writer sleeps unless it is woken.
        self.until = 0.0

    def wake(self) -> None:
        """Has the writer look again. Never blocks: finalizers call it."""
        if self._signal.locked():
            try:
                self._signal.release()
            except RuntimeError:
                return  # another thread was faster

    def end(self) -> None:
        """Ends the writer."""
        self._over = True
        self.wake()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        asked = time.monotonic()
        while not self._over:
            now = time.monotonic()
            message, until = self._next_message(self, now)
            if message is not None:
                return message
            # After a message it looks again a little later, so that no event need wake it for the sake of an ack.
            until = until or asked + ACK_DELAY
            self.until = until if until > now else math.inf
            self._signal.acquire(timeout=until - now if until > now else -1)
        raise StopIteration
