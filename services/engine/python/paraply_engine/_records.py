"""Structured output: JSON of Jupyter message contents."""

from __future__ import annotations

import base64
import json
from typing import Any

#: Numbers of `paraply.common.v1.OutputKind`.
DISPLAY_DATA = 3
EXECUTE_RESULT = 4
EXECUTE_INPUT = 5


def as_json(content: dict[str, Any]) -> bytes:
    """`content` as JSON; bytes (an image, say) in base64, as Jupyter has it."""
    return json.dumps(content, default=_default).encode("utf-8", "replace")


def _default(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    return repr(value)
