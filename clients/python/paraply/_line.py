"""What is to be written on one session stream, and when."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator

from paraply._session.machine import ACK_DELAY

#: Gives the next message for a line, if there is one, and sets when to ask again.
NextMessage = Callable[["Line", float], "bytes | None"]


class Line:
    """What a transport asks for the next message when the line is free: see `Requests`.

    Args:
        next_message: Asked with the line and the time now.
    """

    def __init__(self, next_message: NextMessage) -> None:
        self._next_message = next_message
        self._signal = threading.Lock()
        self._signal.acquire()
        self._over = False
        #: When to ask again though nothing happens. Whoever sets it hurries the line then.
        self.due: float | None = None
        # Until when the writer sleeps unless it is woken.
        self._until = math.inf

    def wake(self) -> None:
        """Has the writer look again. Never blocks: finalizers call it."""
        if self._signal.locked():
            try:
                self._signal.release()
            except RuntimeError:
                return  # another thread was faster

    def hurry(self) -> None:
        """Wakes the writer if it would sleep beyond what is due. Never blocks."""
        if self.due is not None and self.due < self._until:
            self.wake()

    def end(self) -> None:
        """Ends the writer."""
        self._over = True
        self.wake()

    def poll(self) -> bytes | None:
        """The next message, if one is due. One thread at a time."""
        if self._over:
            return None
        message = self._next_message(self, time.monotonic())
        self.hurry()
        return message

    def wait(self) -> bool:
        """Sleeps, on the writer's thread, until there may be something to write. Returns whether there ever may be."""
        if not self._over:
            self._sleep(None)
        return not self._over

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        asked = time.monotonic()
        while not self._over:
            message = self.poll()
            if message is not None:
                return message
            # After a message it looks again a little later, so that no event need wake it for the sake of an ack.
            self._sleep(asked + ACK_DELAY)
        raise StopIteration

    def _sleep(self, otherwise: float | None) -> None:
        """Sleeps until it is woken or what is due is due, or until another time if nothing is."""
        # In this order: whoever sets `due` after it was read here finds that this would sleep for ever.
        self._until = math.inf
        until, now = self.due or otherwise, time.monotonic()
        if until is not None and until > now:
            self._until = until
            self._signal.acquire(timeout=until - now)
        else:
            self._signal.acquire()
