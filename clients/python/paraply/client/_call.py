"""What a view asks of its client: one call, whatever the number of its tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paraply._serialize import Encoding
from paraply.client._execute import Execute
from paraply.client._task import Task

if TYPE_CHECKING:
    from paraply._serialize import Function, Payload

__all__ = ["CallSpec", "Execute", "Task"]


@dataclass(slots=True)
class CallSpec:
    """One call. It becomes one task an engine (direct) or one task an argument (balanced).

    Args:
        work: The function to call, or code to execute.
        arguments: `(args, kwargs)`, pickled or portable. Direct: one for all engines, or one an engine. Balanced: one a task.
            Code: none.
        direct: On exactly `engine_ids`, one task each in that order; else on any engine that may.
        engine_ids: Direct: where. Balanced: the only engines that may; empty for any.
        labels: Balanced: what its engine has to carry, sorted.
        name: What errors and `repr` call the work.
        verb: What is done with it, for who traces: "apply", "map", or nothing where the name says it all.
        label: The user's own label, for queries.
        priority: Higher goes first.
        retries: Balanced: how often a task may run again when it failed or its engine was lost.
        queue_timeout: Balanced: seconds that a task may wait to be started.
        run_timeout: Seconds that a task may run.
        start_once: A task never starts without the scheduler's yes, so that it never runs twice unnoticed.
    """

    work: Function | Execute
    arguments: list[Payload] = field(default_factory=list)
    direct: bool = True
    engine_ids: list[int] = field(default_factory=list)
    labels: tuple[tuple[str, str], ...] = ()
    name: str = ""
    verb: str = ""
    label: str = ""
    priority: int = 0
    retries: int = 0
    queue_timeout: float | None = None
    run_timeout: float | None = None
    start_once: bool = False

    @property
    def portable(self) -> bool:
        """Whether arguments travel as what every language reads, and so are results to."""
        return bool(self.arguments) and self.arguments[0].encoding != Encoding.PICKLE5

    def count(self) -> int:
        """How many tasks, and so how many results, the call has."""
        if self.direct:
            return len(self.engine_ids)
        return 1 if isinstance(self.work, Execute) else len(self.arguments)
