"""What is known about a task besides its result."""

from __future__ import annotations

from typing import Any

#: Every key that a task's metadata has, with its value while nothing is known.
DEFAULTS: dict[str, Any] = {
    "msg_id": None,
    "label": None,
    "submitted": None,
    "started": None,
    "completed": None,
    "received": None,
    "engine_id": None,
    "engine_uuid": None,
    "status": None,
    "error": None,
    "stdout": "",
    "stderr": "",
    "outputs": [],
    "execute_input": None,
    "execute_result": None,
    "data": {},
    "after": None,
    "follow": None,
}


class Metadata(dict[str, Any]):
    """A task's metadata: a dictionary with a fixed set of keys, which are attributes too.

    Times are aware `datetime` objects in UTC; `status` is `'ok'`, `'error'` or None while the task is not finished.
    """

    def __init__(self, **known: Any) -> None:
        super().__init__({**DEFAULTS, "outputs": [], "data": {}})
        for key, value in known.items():
            self[key] = value

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(key) from None

    def __setattr__(self, key: str, value: Any) -> None:
        if key not in self:
            raise AttributeError(key)
        self[key] = value

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in DEFAULTS:
            raise KeyError(key)
        super().__setitem__(key, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self})
