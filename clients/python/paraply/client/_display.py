"""What tasks wrote and displayed, shown to the user: who wrote it in front, like `[stdout:0] hi`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from paraply.client._metadata import Metadata
from paraply.client._reply import ExecuteReply


def labelled(stream: str, engine_id: int | None, text: str) -> str:
    """Text with who wrote it: on the same line if it is one line, else above it."""
    prefix = f"[{stream}:{'?' if engine_id is None else engine_id}] "
    if not text.endswith("\n"):
        text += "\n"
    return f"{prefix}\n{text}" if "\n" in text[:-1] else f"{prefix}{text}"


def display_outputs(
    tasks: Sequence[Metadata], groupby: str, result_only: bool, *, single: bool, streams: bool = True
) -> None:
    """See `AsyncResult.display_outputs`. Without `streams` only displays and results."""
    if groupby not in ("type", "engine", "order"):
        raise ValueError(f"groupby is 'type', 'engine' or 'order', not {groupby!r}")
    if result_only:
        for task in tasks:
            _show_result(task)
    elif groupby == "engine":
        for task in tasks:
            if streams:
                _show_streams([task], single)
            for output in task.outputs:
                _show_display(task, output, single)
            _show_result(task)
    else:
        if streams:
            _show_streams(tasks, single)
        _show_displays(tasks, groupby, single)
        for task in tasks:
            _show_result(task)


def _show_streams(tasks: Sequence[Metadata], single: bool) -> None:
    for stream, file in (("stdout", sys.stdout), ("stderr", sys.stderr)):
        for task in tasks:
            text = task[stream]
            if text:
                file.write(text if single else labelled(stream, task.engine_id, text))
        file.flush()


def _show_displays(tasks: Sequence[Metadata], groupby: str, single: bool) -> None:
    if groupby == "type":
        for task in tasks:
            for output in task.outputs:
                _show_display(task, output, single)
        return
    for nth in zip_longest(*(task.outputs for task in tasks)):
        for task, output in zip(tasks, nth, strict=True):
            if output is not None:
                _show_display(task, output, single)


def _show_display(task: Metadata, output: dict[str, Any], single: bool) -> None:
    """Rich displays are for IPython; elsewhere there is nothing to show them with."""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return
    if not single:
        print(f"[output:{task.engine_id}]")
    from IPython.display import publish_display_data

    show: Any = publish_display_data
    show(data=output.get("data", {}), metadata=output.get("metadata", {}))


def _show_result(task: Metadata) -> None:
    if task.execute_result is None:
        return
    reply = ExecuteReply(task)
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        from IPython.display import display

        show: Any = display
        show(reply)
    else:
        print(reply.text())
