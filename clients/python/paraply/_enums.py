"""Values of the protocol's enums, of which a later release may have more."""

from __future__ import annotations

from typing import Any, Protocol


class HasNames(Protocol):
    """An enum of the protocol."""

    def Name(self, number: Any) -> str: ...  # protobuf's


def name_of(enum: HasNames, number: int) -> str:
    """The name of a value, or its number where this release has none for it."""
    try:
        return enum.Name(number)
    except ValueError:
        return str(number)
