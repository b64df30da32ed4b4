"""The engine: runs the tasks of a Paraply cluster in this interpreter, on its main thread."""

from __future__ import annotations

from paraply_engine._task import Task, current_task, publish

__all__ = ["Task", "current_task", "main", "publish"]


def main() -> None:
    """Runs an engine as the command line says, until the cluster or SIGTERM ends it. Does not return."""
    from paraply_engine._main import main as run

    run()
