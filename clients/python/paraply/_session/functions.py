"""Which functions the scheduler has been sent in its present epoch, and which of them are still needed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paraply._session import wire

if TYPE_CHECKING:
    from paraply._serialize import Function

#: Digests remembered as sent. One that is forgotten is sent again, which does no harm.
REMEMBERED = 10_000


class SentFunctions:
    """A function is sent once an epoch, ahead of the first call that names it, and again when asked for."""

    def __init__(self) -> None:
        #: Functions that unfinished calls name, with the number of those calls.
        self._held: dict[bytes, tuple[Function, int]] = {}
        self._sent: dict[bytes, None] = {}
        self._asked: set[bytes] = set()

    def hold(self, function: Function) -> None:
        """One more call names it."""
        known, calls = self._held.get(function.digest, (function, 0))
        self._held[function.digest] = (known, calls + 1)

    def drop(self, function: Function) -> None:
        """One call that names it is finished."""
        known, calls = self._held[function.digest]
        if calls == 1:
            del self._held[function.digest]
            self._asked.discard(function.digest)
        else:
            self._held[function.digest] = (known, calls - 1)

    def unsent(self, function: Function | None) -> bytes:
        """The function as a field of the next message, empty if the scheduler has it."""
        if function is None or function.digest in self._sent:
            return b""
        return wire.function(function)

    def mark(self, function: Function | None) -> None:
        """It is in the message that is being written."""
        if function is not None:
            self._sent[function.digest] = None
            if len(self._sent) > REMEMBERED:
                del self._sent[next(iter(self._sent))]

    def ask(self, digest: bytes) -> None:
        """The scheduler lacks it. One that no call names any more is not needed."""
        if digest in self._held:
            self._asked.add(digest)

    def asked(self, most_bytes: int) -> list[bytes]:
        """Functions to send because the scheduler asked for them, as fields of one message."""
        fields: list[bytes] = []
        size = 0
        for digest in sorted(self._asked):
            field = wire.function(self._held[digest][0])
            size += len(field)
            if size > most_bytes and fields:
                break
            fields.append(field)
            self._asked.remove(digest)
        return fields

    def forget_sent(self) -> None:
        """The scheduler was restarted."""
        self._sent.clear()
        self._asked.clear()
