"""Waiting for engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paraply import error
from paraply.client._progress import is_interactive, wait_with_bar

if TYPE_CHECKING:
    from paraply._link import Link


def wait_for_engines(
    link: Link, n: int, *, timeout: float, interactive: bool | None = None, widget: bool | None = None
) -> None:
    """Waits until there are `n` engines.

    Args:
        timeout: Seconds; negative for ever.
        interactive: Show a bar; None: if a person watches.
        widget: A bar made of widgets; None: where there is a notebook.

    Raises:
        TimeoutError: There are not that many yet.
        EngineError: One left meanwhile.
        OSError: The cluster is gone.
    """
    engines = link.engines
    departed = len(engines.departures)

    def over() -> bool:
        return len(engines.ids) >= n or len(engines.departures) > departed or link.closed

    if is_interactive() if interactive is None else interactive:
        wait_with_bar(
            lambda pause: engines.wait_until(over, pause),
            lambda: min(len(engines.ids), n),
            total=n,
            description="engines",
            unit="engine",
            interval=0.2,
            timeout=timeout,
            widget=widget,
        )
    else:
        engines.wait_until(over, None if timeout < 0 else timeout)
    ready = len(engines.ids)
    if ready >= n:
        return
    link.check_open()
    if len(engines.departures) > departed:
        engine, reason = engines.departures[departed]
        raise error.EngineError(f"Engine {engine} left while we waited for {n} engines: {reason}")
    raise TimeoutError(f"{n} engines not ready in {timeout:g} seconds. Currently ready: {ready}")
