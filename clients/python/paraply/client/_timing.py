"""When tasks were submitted, ran and came back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from paraply.client._timeline import Timeline

if TYPE_CHECKING:
    from paraply.client._task import Task

Times = datetime | Iterable[datetime]


class Timing:
    """The times of an AsyncResult. Seconds as floats throughout."""

    _tasks: list[Task]

    def done(self) -> bool:
        """Whether all tasks are done."""
        raise NotImplementedError

    def _check_ready(self) -> None:
        if not self.done():
            raise TimeoutError("Result not ready.")

    @staticmethod
    def timedelta(
        start: Times, end: Times, start_key: Callable[..., Any] = min, end_key: Callable[..., Any] = max
    ) -> float:
        """Seconds between two times, or between one of each of two lists: the first start and the last end."""
        if not isinstance(start, datetime):
            start = start_key(start)
        if not isinstance(end, datetime):
            end = end_key(end)
        assert isinstance(start, datetime)
        assert isinstance(end, datetime)
        return (end - start).total_seconds()

    def timeline(self) -> Timeline:
        """When each task was submitted, accepted, claimed, started, finished and delivered, as far as it has come."""
        return Timeline(task.times for task in self._tasks)

    @property
    def elapsed(self) -> float:
        """Seconds since the first task was submitted, until all were done."""
        if not self._tasks:
            return 0.0
        if self.done():
            return self.wall_time
        return datetime.now(UTC).timestamp() - min(task.call.submitted for task in self._tasks)

    @property
    def serial_time(self) -> float:
        """Seconds that the tasks ran, added up: what they would have taken one after the other."""
        self._check_ready()
        return sum(task.run_time for task in self._tasks)

    @property
    def wall_time(self) -> float:
        """Seconds from the first submission to the last result."""
        self._check_ready()
        if not self._tasks:
            return 0.0
        return max(task.received for task in self._tasks) - min(task.call.submitted for task in self._tasks)

    @property
    def speedup(self) -> float:
        """How many times faster this was than the tasks one after the other."""
        return self.serial_time / self.wall_time if self.wall_time else 1.0
