"""A submitted call, kept as bytes until all its results are here: what a restarted scheduler is told again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from paraply._serialize import BytesLike, Function

T = TypeVar("T")


class Call(Generic[T]):
    """One call of `count` tasks.

    Args:
        body: The encoded `Call` message without its `first_index`.
        slots: What stands for each of its tasks; the session sets an entry to None when that task is finished.
        argument_bytes: Inline bytes of its arguments, or of its code, which count against the scheduler's credit.
        function: The function it names, if it names one.
        blobs: Names and bytes of what is too large for a message.
    """

    __slots__ = ("argument_bytes", "blobs", "body", "count", "first_index", "function", "remaining", "slots")

    def __init__(
        self,
        body: bytes,
        slots: list[T | None],
        argument_bytes: int = 0,
        function: Function | None = None,
        blobs: list[tuple[bytes, BytesLike]] | None = None,
    ) -> None:
        self.body = body
        self.slots = slots
        self.argument_bytes = argument_bytes
        self.function = function
        self.blobs = blobs or []
        self.count = self.remaining = len(slots)
        #: Set when it is submitted.
        self.first_index = -1
