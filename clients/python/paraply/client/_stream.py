"""Output of tasks, shown as it comes."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from paraply._workers import output
from paraply.client._display import labelled

if TYPE_CHECKING:
    from paraply.client._task import Task
    from paraply.client.asyncresult import AsyncResult


class OutputStream:
    """Shows, while it is entered, what the tasks of an AsyncResult write: whole lines, with who wrote them in front."""

    def __init__(self, result: AsyncResult) -> None:
        self._result = result
        self._lock = threading.Lock()
        self._shown: dict[tuple[int, str], int] = {}
        self._due = False

    def __enter__(self) -> AsyncResult:
        for task in self._result._tasks:
            task.on_output = self._more
        self._more()
        return self._result

    def __exit__(self, *exception: object) -> None:
        for task in self._result._tasks:
            task.on_output = None
        self._show(last=True)

    def _more(self) -> None:
        """There is more. On the thread that reads the stream: it must not print, which may block."""
        if not self._due:
            self._due = True
            output.run(self._show)

    def _show(self, last: bool = False) -> None:
        with self._lock:
            self._due = False
            for position, task in enumerate(self._result._tasks):
                for stream, file in (("stdout", sys.stdout), ("stderr", sys.stderr)):
                    text = self._new(position, task, stream, last)
                    if text:
                        file.write(text if self._result._single else labelled(stream, task.engine_id, text))
                        file.flush()

    def _new(self, position: int, task: Task, stream: str, last: bool) -> str:
        """What was not shown yet: up to the end of a line, unless there will be no more."""
        start = self._shown.get((position, stream), 0)
        text, end = task.output_since(stream, start, whole_lines=not (last or task.done()))
        self._shown[position, stream] = end
        return text
