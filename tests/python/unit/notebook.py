"""A client's `__main__` and an engine's namespace in one process, with nothing between them but payloads."""

from __future__ import annotations

import sys
import textwrap
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paraply import _serialize


class Notebook:
    """Code typed at the client, in a `__main__` of its own; what it sends is run in `engine`."""

    def __init__(self) -> None:
        self.main = types.ModuleType("__main__")
        self.engine_main = types.ModuleType("__main__")
        self.engine = vars(self.engine_main)

    def type(self, source: str) -> None:
        """Runs a cell at the client."""
        with self._as_main(self.main):
            exec(compile(textwrap.dedent(source), "<cell>", "exec", dont_inherit=True), vars(self.main))

    def __getitem__(self, name: str) -> Any:
        return vars(self.main)[name]

    def dump(self, function: Any, **options: Any) -> _serialize.Function:
        """A function as the client sends it."""
        with self._as_main(self.main):
            return _serialize.dump_function(function, **options)

    def apply(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Sends a function, by name or as an object, and its arguments; runs it in the engine; reads its result."""
        if isinstance(function, str):
            function = self[function]
        with self._as_main(self.main):
            sent = _serialize.dump_function(function)
            arguments = _serialize.dump_arguments(args, kwargs)
        with self._as_main(self.engine_main):
            prepared = _serialize.prepare_function(sent.payload)
            result = _serialize.run(prepared, arguments, self.engine, 3)
        with self._as_main(self.main):
            return _serialize.load_result(result)

    @staticmethod
    @contextmanager
    def _as_main(module: types.ModuleType) -> Iterator[None]:
        before = sys.modules["__main__"]
        sys.modules["__main__"] = module
        try:
            yield
        finally:
            sys.modules["__main__"] = before
