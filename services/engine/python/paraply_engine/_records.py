"""Structured output: JSON of Jupyter message contents."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

from paraply_engine import _native

#: Numbers of `paraply.common.v1.OutputKind`.
DISPLAY_DATA = 3
EXECUTE_RESULT = 4
EXECUTE_INPUT = 5

#: What is shown of the code that ran. In JSON a character takes up to 12 bytes, and a record has at most 512 KiB.
_CODE_CHARACTERS = 32 << 10


def emit(kind: int, content: dict[str, Any]) -> None:
    """Sends a record. One that cannot be sent is left out with a note: the code that showed it goes on."""
    try:
        _native.emit(kind, as_json(content))
    except Exception as error:  # noqa: BLE001  # too large, or not to be written as JSON: a repr may raise anything
        print(f"[output left out: {error}]", file=sys.stderr)


def emit_input(code: str, count: int) -> None:
    """Sends the code that is about to run, or the beginning of it."""
    if len(code) > _CODE_CHARACTERS:
        code = f"{code[:_CODE_CHARACTERS]}\n# [... {len(code) - _CODE_CHARACTERS} characters left out ...]"
    emit(EXECUTE_INPUT, {"code": code, "execution_count": count})


def as_json(content: dict[str, Any]) -> bytes:
    """`content` as JSON; bytes (an image, say) in base64, as Jupyter has it."""
    return json.dumps(content, default=_default).encode("utf-8", "replace")


def _default(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    return repr(value)
