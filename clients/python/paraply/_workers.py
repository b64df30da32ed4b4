"""Background threads: made when there is work, never in the way of the interpreter's end."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue


class Workers:
    """Runs jobs on at most `limit` daemon threads, in the order in which they came.

    Args:
        name: Of the threads.
    """

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._reset()

    def _reset(self) -> None:
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        #: Jobs that wait or run.
        self._load = 0
        self._closed = False

    def run(self, job: Callable[[], object]) -> bool:
        """Has `job` run soon. What it raises is printed as of any thread.

        Returns:
            Whether it will run: not once this is closed.
        """
        with self._lock:
            if self._closed:
                return False
            self._load += 1
            if self._load > self._threads and self._threads < self._limit:
                self._threads += 1
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
            self._jobs.put(job)
            return True

    def close(self) -> None:
        """Lets the threads end after the jobs they have."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for _ in range(self._threads):
                    self._jobs.put(None)

    def _work(self) -> None:
        while self._work_once():
            pass

    def _work_once(self) -> bool:
        """Does one job, of which nothing is left when it returns: a job may hold on to much."""
        job = self._jobs.get()
        if job is None:
            return False
        try:
            job()
        except Exception:  # noqa: BLE001  # jobs are users' code, and the thread goes on
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))
        with self._lock:
            self._load -= 1
        return True

    def after_fork(self) -> None:
        """Starts anew in a child process, which has none of the threads."""
        self._reset()


#: Runs users' callbacks: never on the thread that reads results, where waiting for a result would wait for ever.
callbacks = Workers("paraply-callbacks", 1)
#: Shows output, also while a callback takes its time.
output = Workers("paraply-output", 1)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=callbacks.after_fork)
    os.register_at_fork(after_in_child=output.after_fork)
