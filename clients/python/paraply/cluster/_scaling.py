"""How engines of a cluster come and go with the work."""

from __future__ import annotations

import operator

#: The most engines that there can be.
MOST = 4096
#: Seconds after which an engine can be idle: what engines do is told once a second.
IDLE = (0.5, 1_000_000)


def scaling(autoscale: tuple[int, int] | None, idle_timeout: float) -> list[str]:
    """What the command is to be told. Raises ValueError for what makes no sense."""
    if not IDLE[0] <= idle_timeout <= IDLE[1]:
        raise ValueError(f"idle_timeout={idle_timeout!r}: it is a number of seconds from {IDLE[0]} to {IDLE[1]}")
    if autoscale is None:
        return []
    try:
        least, most = map(operator.index, autoscale)
    except (TypeError, ValueError):
        raise ValueError(f"autoscale={autoscale!r}: it is two numbers of engines, such as (0, 8)") from None
    if not (0 <= least <= most and 1 <= most <= MOST):
        raise ValueError(
            f"autoscale={autoscale!r}: at the least 0, at the most 1 to {MOST}, and the least is not more than the most"
        )
    return ["--autoscale", f"{least}:{most}", "--idle", str(idle_timeout)]
