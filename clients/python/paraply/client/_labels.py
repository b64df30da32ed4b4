"""Engines by the labels that they carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from paraply import error

if TYPE_CHECKING:
    from paraply._engines import Engines

#: What the scheduler takes of one call.
_MOST = 16
_MOST_BYTES = 1024


def check_labels(labels: Any) -> dict[str, str] | None:
    """A view's labels: a copy, sorted by key, or None for no labels.

    Raises:
        TypeError: They are no dict of strings.
        ValueError: They are more than a call can ask for.
    """
    if labels is None:
        return None
    if not isinstance(labels, Mapping):
        raise TypeError(f"labels are a dict like {{'runtime': 'native'}}, not {type(labels).__name__}: {labels!r}")
    for key, value in labels.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"a label's key and value are strings, not {key!r}: {value!r}")
        if not key:
            raise ValueError("a label has a key: this one is empty")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in labels.items())
    if len(labels) > _MOST or size > _MOST_BYTES:
        raise ValueError(
            f"a view has at most {_MOST} labels of {_MOST_BYTES} bytes in all, not {len(labels)} of {size} bytes"
        )
    return dict(sorted(labels.items())) or None


def carriers(engines: Engines, ids: list[int], labels: Mapping[str, str]) -> list[int]:
    """Those of `ids` that carry all these labels now, in their order.

    Raises:
        NoEnginesRegistered: None does. It says which labels there are.
    """
    wanted = labels.items()
    matching = [engine for engine in ids if wanted <= engines.labels(engine).items()]
    if not matching:
        carried = sorted({label for engine in ids for label in engines.labels(engine).items()})
        there = _text(dict.fromkeys(carried)) if carried else "none at all"
        raise error.NoEnginesRegistered(
            f"no engine has labels {_text(labels.items())}: those of the {len(ids)} engines are {there}"
        )
    return matching


def _text(labels: Any) -> str:
    pairs = [f"{key}={value}" for key, value in labels]
    more = f" and {len(pairs) - _MOST} more" if len(pairs) > _MOST else ""
    return " ".join(pairs[:_MOST]) + more
