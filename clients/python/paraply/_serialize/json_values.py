"""Results for those who sent their arguments in JSON: JSON, or an error that says what has no JSON form."""

from __future__ import annotations

import datetime
import json
import sys
from typing import Any

from paraply import error
from paraply._serialize.payload import Encoding, Payload

_TIMES = (datetime.datetime, datetime.date, datetime.time)
_TEXT_CHARACTERS = 80

#: How deep the part that has no JSON form is looked for.
_LEVELS = 16


def dump(value: Any) -> Payload:
    """`value` as JSON. Raises `NotJSONError`, which starts with the path from `result` to the culprit.

    Numpy's scalars are numbers, arrays of numbers, bools and strings are lists, dates and times are ISO 8601. Nothing is
    written that JSON does not have: NaN and the infinities are errors.
    """
    try:
        text = json.dumps(value, default=_plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        return Payload(Encoding.JSON, text.encode())
    except Exception as failure:  # noqa: BLE001  # users' classes are asked for their items
        raise _explained(value, failure) from None


def _plain(value: Any) -> Any:
    """What JSON has in place of a value that its library does not write."""
    if isinstance(value, _TIMES):
        return value.isoformat()
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)) and value.dtype.kind in "biufU":
        # A scalar of a width that Python does not have stays itself, and would come back here for ever.
        plain = value.tolist()
        if not isinstance(plain, numpy.generic):
            return plain
    raise TypeError("it has no JSON form")


def _explained(value: Any, failure: Exception) -> error.NotJSONError:
    """Follows the first part that cannot be written down to the deepest one."""
    path = "result"
    # Where there is no end to it, there is no part to look for; else each level is written again, and a few will do.
    for _ in range(0 if _is_endless(failure) else _LEVELS):
        for name, part in _parts(value):
            reason = _failure(part)
            if reason is not None:
                path, value, failure = path + name, part, reason
                break
        else:
            break
    return error.NotJSONError(f"{path}: {_reason(value, failure)}")


def _is_endless(failure: Exception) -> bool:
    return isinstance(failure, RecursionError) or "Circular" in str(failure)


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"[{_shown(key)}]", part) for key, part in value.items()]
    if isinstance(value, (list, tuple)):
        return [(f"[{index}]", part) for index, part in enumerate(value)]
    return []


def _failure(value: Any) -> Exception | None:
    try:
        json.dumps(value, default=_plain, allow_nan=False, ensure_ascii=False).encode()
    except Exception as failure:  # noqa: BLE001  # users' classes are asked for their items
        return failure
    return None


def _reason(value: Any, failure: Exception) -> str:
    if isinstance(value, float):
        return f"JSON has no {value}: return None or a text in its place"
    if _is_endless(failure):
        return "it contains itself, or is nested too deep"
    if isinstance(failure, UnicodeEncodeError):
        return "this text has half of a surrogate pair, which UTF-8 does not have"
    if isinstance(value, dict):
        return "the keys of a JSON object are texts (numbers, bools and None become texts)"
    kind = type(value)
    return (
        f"a {kind.__module__}.{kind.__qualname__} has no JSON form: return lists, dicts, numbers and texts, "
        f"or call the function in a session"
    ).replace("a builtins.", "a value of class ")


def _shown(key: Any) -> str:
    try:
        text = repr(key)
    except Exception:  # noqa: BLE001  # a user's __repr__ may raise anything
        text = f"<{type(key).__name__}>"
    return text if len(text) <= _TEXT_CHARACTERS else f"{text[:_TEXT_CHARACTERS]}..."
