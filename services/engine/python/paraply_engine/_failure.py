"""How a task failed, in words that travel."""

from __future__ import annotations

import traceback
import types
from dataclasses import dataclass
from pathlib import Path

from paraply import _serialize
from paraply._serialize import Payload, dump_exception

#: Numbers of `paraply.common.v1.FailureKind`.
EXCEPTION = 1
UNREADABLE = 6

_MESSAGE_CHARACTERS = 16 << 10
_TRACEBACK_CHARACTERS = 64 << 10
_EXCEPTION_BYTES = 64 << 10

#: Code between the native loop and user code.
_OURS = (str(Path(__file__).parent), str(Path(_serialize.__file__).parent))


@dataclass(slots=True)
class Failure:
    """A failure as `paraply.common.v1.Failure` has it."""

    kind: int
    type_name: str
    message: str
    traceback: str
    exception: Payload | None = None


def describe(error: BaseException, kind: int = EXCEPTION, rendered: str | None = None) -> Failure:
    """`error` as data. `rendered` is its traceback where somebody has rendered it already."""
    if rendered is None:
        rendered = render(error)
    return Failure(
        kind=kind,
        type_name=type(error).__name__,
        message=_shorten(text_of(error), _MESSAGE_CHARACTERS),
        traceback=_shorten(rendered, _TRACEBACK_CHARACTERS),
        exception=_pickle(error),
    )


def text_of(error: BaseException) -> str:
    """`str(error)`, whatever its class does there."""
    try:
        return str(error)
    except Exception as failed:  # noqa: BLE001  # a user's __str__ may raise anything
        return f"Failed to cast exception to string: {type(failed).__name__}"


def render(error: BaseException) -> str:
    """The traceback as Python prints it, from where user code begins."""
    try:
        return "".join(traceback.format_exception(type(error), error, _users(error.__traceback__))).rstrip("\n")
    except Exception:  # noqa: BLE001  # the traceback calls user code too: __str__, __notes__, loaders of source
        return f"{type(error).__name__}: {text_of(error)}"


def _users(frames: types.TracebackType | None) -> types.TracebackType | None:
    """The part of a traceback that is below the engine's own frames, or all of it if there is none."""
    below = frames
    while below is not None and below.tb_frame.f_code.co_filename.startswith(_OURS):
        below = below.tb_next
    return below or frames


def _pickle(error: BaseException) -> Payload | None:
    try:
        payload = dump_exception(error)
    except Exception:  # noqa: BLE001  # what a class does in __reduce__ is its own affair; the words are enough
        return None
    return payload if payload is not None and payload.nbytes <= _EXCEPTION_BYTES else None


def _shorten(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"
