"""Waiting for engines."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import TYPE_CHECKING

from paraply import error
from paraply.client._progress import is_interactive, wait_with_bar

if TYPE_CHECKING:
    from paraply._link import Link


class EnginesFuture(Future[None]):
    """Waits for engines on a thread of its own, which ends when it is cancelled."""

    def __init__(self, link: Link, n: int, timeout: float) -> None:
        super().__init__()
        self._engines = link.engines
        departed = len(link.engines.departures)
        threading.Thread(target=self._run, args=(link, n, timeout, departed), name="paraply-wait", daemon=True).start()

    def cancel(self) -> bool:
        """Stops waiting. Returns whether it did: False if the wait was over."""
        cancelled = super().cancel()
        self._engines.wake()
        return cancelled

    def _run(self, link: Link, n: int, timeout: float, departed: int) -> None:
        failure = None
        try:
            wait_for_engines(link, n, timeout=timeout, interactive=False, unless=self.cancelled, departed=departed)
        except Exception as raised:  # noqa: BLE001  # it is the future's
            failure = raised
        with contextlib.suppress(InvalidStateError):  # cancelled
            if failure is None:
                self.set_result(None)
            else:
                self.set_exception(failure)


def wait_for_engines(
    link: Link,
    n: int,
    *,
    timeout: float,
    interactive: bool | None = None,
    widget: bool | None = None,
    unless: Callable[[], bool] = lambda: False,
    departed: int | None = None,
) -> None:
    """Waits until there are `n` engines.

    Args:
        timeout: Seconds; negative for ever.
        unless: Ends the wait too: asked when engines join or leave, and when they are woken.
        interactive: Show a bar; None: if a person watches.
        widget: A bar made of widgets; None: where there is a notebook.
        departed: How many had left when the wait began; None: it begins now.

    Raises:
        TimeoutError: There are not that many yet.
        EngineError: One left meanwhile.
        OSError: The cluster is gone.
    """
    engines = link.engines
    left_before = len(engines.departures) if departed is None else departed

    def over() -> bool:
        return len(engines.ids) >= n or len(engines.departures) > left_before or link.closed or unless()

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
    if len(engines.departures) > left_before:
        engine, reason = engines.departures[left_before]
        raise error.EngineError(f"Engine {engine} left while we waited for {n} engines: {reason}")
    raise TimeoutError(f"{n} engines not ready in {timeout:g} seconds. Currently ready: {ready}")
