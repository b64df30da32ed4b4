"""Telling people who wait for results that the cluster does not answer."""

from __future__ import annotations

import threading
from collections.abc import Callable

from paraply._notice import say

#: Seconds of silence after which they are told, and between looks at whether anybody waits.
PATIENCE = 2.0


class Outage:
    """A time without a cluster. Says on stderr, once, that it lasts, and then when it is over.

    Args:
        describe: What to say, or an empty text while nobody waits.
    """

    def __init__(self, describe: Callable[[], str]) -> None:
        self._describe = describe
        self._over = threading.Event()
        self._answered = False
        threading.Thread(target=self._watch, name="paraply-outage", daemon=True).start()

    def end(self, *, answered: bool) -> None:
        """It is over: the cluster answered, or nobody is interested any more."""
        self._answered = answered
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(PATIENCE):
            if text := self._describe():
                say(text)
                self._over.wait()
                if self._answered:
                    say("the cluster answers again")
