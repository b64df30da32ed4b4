"""Runs one task after the other: the native loop calls this, and gets a payload or a failure back."""

from __future__ import annotations

from typing import Any

from paraply._serialize import Encoding, Payload, Prepared, dump_result, prepare_function, run
from paraply.error import UnreadableError
from paraply_engine import _native, _streams
from paraply_engine._child import fail
from paraply_engine._execute import Executor, make_executor
from paraply_engine._failure import EXCEPTION, UNREADABLE, Failure

_ENCODINGS = {int(encoding): encoding for encoding in Encoding}


class Runner:
    """Calls functions and executes code in `namespace`, the `__dict__` of the engine's `__main__`.

    Whatever user code raises ends its task, not its engine: also SystemExit and KeyboardInterrupt. What was `received` for
    a payload is its buffers and last its data, taken out of the list so that nobody holds them any longer than needed.
    """

    failure_class = Failure

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._executor: Executor | None = None

    def mend_streams(self) -> None:
        """Makes `sys.stdout` and `sys.stderr` anew where a task has taken them away."""
        _streams.mend()

    def enter_span(self, traceparent: str) -> None:
        """Makes a span of the engine's the current one: what user code traces from here on belongs to it."""
        from paraply_engine import _spans

        _spans.enter(traceparent)

    def leave_span(self) -> None:
        """The span is over."""
        from paraply_engine import _spans

        _spans.leave()

    def prepare(self, encoding: int, received: list[Any], python_version: str) -> Prepared | Failure:
        """Reads a function once, to be called many times."""
        try:
            return prepare_function(Payload(_ENCODINGS[encoding], received.pop(), received, python_version))
        except BaseException as error:  # noqa: BLE001
            return fail(error, UNREADABLE)

    def call(self, prepared: Prepared, encoding: int, received: list[Any], python_version: str) -> Payload | Failure:
        """Calls a function that was prepared, with the arguments in the payload."""
        try:
            arguments = Payload(_ENCODINGS[encoding], received.pop(), received, python_version)
            return run(prepared, arguments, self._namespace, _native.engine_id())
        except BaseException as error:  # noqa: BLE001
            _streams.mend()
            return fail(error, UNREADABLE if isinstance(error, UnreadableError) else EXCEPTION)

    def execute(self, source: str, silent: bool, filename: str) -> Payload | Failure:
        """Executes source code. The result says which execution it was; None where it is silent."""
        try:
            if self._executor is None:
                self._executor = make_executor(self._namespace)
            done = self._executor.execute(source, silent, filename)
            if isinstance(done, Failure):
                _streams.mend()
                return done
            return dump_result({"execution_count": done})
        except BaseException as error:  # noqa: BLE001
            return fail(error, EXCEPTION)
