"""From what a view asks for to what the session sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paraply import _traces
from paraply._session import wire
from paraply.client._call import CallSpec, Execute
from paraply.client._task import SubmittedCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paraply._link import Link
    from paraply._serialize import Function
    from paraply._session.call import Blob
    from paraply._traces.calls import CallSpan
    from paraply.client._task import Task

#: A balanced call with more bytes of arguments than this is sent as several.
CALL_BYTES = 256 << 10
#: And with more tasks than this: a call is kept until its last task is done.
CALL_TASKS = 256
#: Where the cluster does not say: `Limits.inline_bytes` and `Limits.message_bytes`.
INLINE_BYTES, MESSAGE_BYTES = 64 << 10, 1 << 20
#: Of a message, for what is around the calls in it.
_FRAME_BYTES = 1 << 10

#: What to do about a call that is too large: one with values, one of code.
_ADVICE = (
    "make fewer and larger values of many small ones",
    "push the data in the code as values, or put the code into a module that the engines can import",
)


def submit(link: Link, spec: CallSpec) -> list[Task]:
    """Submits a call. Returns its tasks, one a result, in order.

    Raises:
        ValueError: A part of it is larger than a message, and cannot travel on its own.
        OSError: The link is closed or lost.
    """
    span = _traces.begin(spec, link.session_hex)
    if span is None:
        return _Submission(link, spec).tasks
    try:
        tasks = _Submission(link, spec, span).tasks
    except Exception as error:
        span.refused(error)
        raise
    span.submitted(tasks[0].index)
    return tasks


class _Submission:
    def __init__(self, link: Link, spec: CallSpec, span: CallSpan | None = None) -> None:
        self._link = link
        self._spec = spec
        self._span = span
        limits = link.dialler.limits
        self._largest = (limits.message_bytes or MESSAGE_BYTES) - _FRAME_BYTES
        self._inline = limits.inline_bytes or INLINE_BYTES
        work = spec.work
        self._function: Function | None = None if isinstance(work, Execute) else work
        if self._function is not None and self._function.payload.nbytes > self._largest:
            raise ValueError(
                f"the function {spec.name!r} comes to {self._function.payload.nbytes} bytes, over the limit of "
                f"{self._largest} (message_bytes): pass large data as an argument, or push it first"
            )
        self.tasks: list[Task] = []
        if spec.direct and self._has_large_parts():
            self._send_each()
        elif spec.direct or self._function is None:
            self._send_whole()
        else:
            self._send_in_pieces()

    def _has_large_parts(self) -> bool:
        """Whether each engine gets arguments of its own, and some are too large for a message."""
        arguments = self._spec.arguments
        return len(arguments) > 1 and any(payload.nbytes > self._inline for payload in arguments)

    def _encode_head(self, engine_ids: Sequence[int]) -> bytes:
        head = self._head_of(tuple(engine_ids))
        return head if self._span is None else head + wire.traceparent(self._span.traceparent)

    def _head_of(self, ids: tuple[int, ...]) -> bytes:
        spec = self._spec
        options = (
            spec.name,
            spec.label,
            spec.priority,
            spec.retries,
            spec.queue_timeout,
            spec.run_timeout,
            spec.start_once,
        )
        work = spec.work
        if isinstance(work, Execute):
            code = (work.source, work.silent, work.filename)
            return wire.call_head.__wrapped__(None, code, spec.direct, ids, options, spec.labels)
        return wire.call_head(work.digest, None, spec.direct, ids, options, spec.labels)

    def _send_whole(self) -> None:
        """A call whose tasks belong together, in one piece."""
        spec = self._spec
        blobs: list[Blob] = []
        # One engine, and no other ever, will ask for its arguments: they stay here until it does.
        kept = spec.direct and len(spec.engine_ids) == 1
        inline = self._inline
        if len(spec.arguments) > 1:
            inline = max(wire.SMALLEST_BLOB, min(inline, self._largest // 2 // len(spec.arguments)))
        encoded = [wire.argument(payload, inline, blobs, kept=kept) for payload in spec.arguments]
        places = spec.engine_ids if spec.direct else [None]
        size = sum(size for _, size in encoded)
        if isinstance(spec.work, Execute):
            size = len(spec.work.source.encode())
        head = self._encode_head(spec.engine_ids)
        self._send(head, [field for field, _ in encoded], size, blobs, places, kept=kept)

    def _send_each(self) -> None:
        """Large arguments, each for one engine: a call an engine, so that each stays here until its engine reads it."""
        for engine_id, payload in zip(self._spec.engine_ids, self._spec.arguments, strict=True):
            blobs: list[Blob] = []
            field, inline = wire.argument(payload, self._inline, blobs, kept=True)
            self._send(self._encode_head([engine_id]), [field], inline, blobs, [engine_id], kept=True)

    def _send_in_pieces(self) -> None:
        """Independent tasks, as many to a call as a message has room for."""
        head = self._encode_head(self._spec.engine_ids)
        fields: list[bytes] = []
        blobs: list[Blob] = []
        inline = size = 0
        for payload in self._spec.arguments:
            before = len(blobs)
            field, bytes_inline = wire.argument(payload, self._inline, blobs)
            for blob in blobs[before:]:
                blob.task = len(fields)
            fields.append(field)
            inline += bytes_inline
            size += len(field)
            if size >= CALL_BYTES or len(fields) == CALL_TASKS:
                self._send(head, fields, inline, blobs, [None] * len(fields))
                fields, blobs, inline, size = [], [], 0, 0
        if fields:
            self._send(head, fields, inline, blobs, [None] * len(fields))

    def _send(
        self,
        head: bytes,
        fields: list[bytes],
        inline: int,
        blobs: list[Blob],
        places: Sequence[int | None],
        *,
        kept: bool = False,
    ) -> None:
        body = b"".join((head, *fields))
        if len(body) > self._largest:
            raise ValueError(
                f"the call {self._spec.name!r} comes to {len(body)} bytes, over the limit of {self._largest} "
                f"(message_bytes): {_ADVICE[self._function is None]}"
            )
        call = SubmittedCall(
            self._link,
            name=self._spec.name,
            label=self._spec.label,
            method="execute" if self._function is None else "apply",
            body=body,
            places=places,
            argument_bytes=inline,
            function=self._function,
            blobs=blobs,
            keeps_blobs=kept,
            span=self._span,
            portable=self._spec.portable,
        )
        self.tasks += call.tasks()
        self._link.submit(call)
