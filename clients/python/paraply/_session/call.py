"""A submitted call, kept as bytes until all its results are here: what a restarted scheduler is told again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from paraply._serialize import BytesLike, Function

T = TypeVar("T")


class Blob:
    """A part of an argument that is too large for a message.

    Args:
        data: Its bytes, as long as they may have to be sent, perhaps again.
        task: Which of its call's tasks takes it; None: each of them.
    """

    __slots__ = ("blob_id", "data", "task")

    def __init__(self, blob_id: bytes, data: BytesLike, task: int | None = None) -> None:
        self.blob_id = blob_id
        self.data: BytesLike | None = data
        self.task = task

    def detach(self) -> None:
        """Makes it independent of the buffer that the user passed."""
        data = self.data
        if data is not None and not memoryview(data).readonly:
            self.data = bytes(data)


class Call(Generic[T]):
    """One call of `count` tasks.

    Args:
        body: The encoded `Call` message without its `first_index`.
        slots: What stands for each of its tasks; the session sets an entry to None when that task is finished.
        argument_bytes: Inline bytes of its arguments, or of its code, which count against the scheduler's credit.
        function: The function it names, if it names one.
        blobs: What is too large for a message.
        keeps_blobs: They stay here until an engine reads them; else they go into the scheduler's store.
    """

    __slots__ = (
        "argument_bytes",
        "blobs",
        "body",
        "count",
        "first_index",
        "function",
        "keeps_blobs",
        "remaining",
        "slots",
    )

    def __init__(
        self,
        body: bytes,
        slots: list[T | None],
        argument_bytes: int = 0,
        function: Function | None = None,
        blobs: list[Blob] | None = None,
        *,
        keeps_blobs: bool = False,
    ) -> None:
        self.body = body
        self.slots = slots
        self.argument_bytes = argument_bytes
        self.function = function
        self.blobs = blobs or []
        self.keeps_blobs = keeps_blobs
        self.count = self.remaining = len(slots)
        #: Set when it is submitted.
        self.first_index = -1

    def blob_settled(self, blob: Blob) -> None:
        """A blob need not be read from the user's buffer any more: it was stored or taken, or refused."""

    def completed(self) -> None:
        """All its tasks are finished: its bytes are not needed again."""
        self.body = b""
        self.blobs = []
