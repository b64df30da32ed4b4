"""Which engines a view or a call means."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any, Protocol, SupportsIndex

from paraply import error


class HasEngines(Protocol):
    """What knows its engines: a client."""

    @property
    def ids(self) -> list[int]:
        """The engines there are, sorted."""


def engine_ids(client: HasEngines, targets: Any) -> list[int]:
    """The engines that `targets` names now, in its order.

    Args:
        targets: An engine's id (negative ones count from the end of `client.ids`), several of them, a slice of
            `client.ids`, or `'all'` or None for all.

    Raises:
        NoEnginesRegistered: There are none.
        IndexError: There is no such engine.
        TypeError: `targets` is none of these.
    """
    ids = client.ids
    if targets is None or targets == "all":
        if not ids:
            raise error.NoEnginesRegistered
        return ids
    if isinstance(targets, slice):
        if not ids:
            raise error.NoEnginesRegistered
        return ids[targets]
    if isinstance(targets, SupportsIndex) and not isinstance(targets, Iterable):
        return [_one(ids, targets)]
    if isinstance(targets, str) or not isinstance(targets, Iterable):
        raise TypeError(f"targets are an engine's id, a list of them, a slice, 'all' or None, not {targets!r}")
    return [_one(ids, target) for target in targets]


def _one(ids: list[int], target: Any) -> int:
    if not isinstance(target, SupportsIndex):
        raise TypeError(f"an engine's id is an int, not {type(target).__name__}: {target!r}")
    engine = index(target)
    if not ids:
        raise error.NoEnginesRegistered
    if engine < 0 and -len(ids) <= engine:
        return ids[engine]
    if engine not in ids:
        raise IndexError(f"No such engine: {engine}")
    return engine
