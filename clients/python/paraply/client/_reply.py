"""What executing code comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paraply.client._metadata import Metadata


class ExecuteReply:
    """The outcome of code executed on one engine: its result, if it had one, and what it wrote.

    Metadata are attributes and items: `reply.stdout`, `reply["stdout"]`.
    """

    def __init__(self, metadata: Metadata) -> None:
        self.metadata = metadata

    @property
    def execute_result(self) -> dict[str, Any] | None:
        """Jupyter's `execute_result` content: `data`, `metadata`, `execution_count`."""
        result: dict[str, Any] | None = self.metadata["execute_result"]
        return result

    @property
    def execution_count(self) -> int | None:
        """The number of the cell on its engine, if it was counted."""
        content = self.execute_result or self.metadata["execute_input"] or {}
        return content.get("execution_count")

    @property
    def data(self) -> dict[str, Any]:
        """The result by MIME type; empty if there is none."""
        data: dict[str, Any] = (self.execute_result or {}).get("data", {})
        return data

    @property
    def source(self) -> str:
        """The code."""
        code: str = (self.metadata["execute_input"] or {}).get("code", "")
        return code

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self.metadata:
            return self.metadata[name]
        raise AttributeError(name)

    def __getitem__(self, key: str) -> Any:
        return self.metadata[key]

    def __repr__(self) -> str:
        text = self.data.get("text/plain", "")
        if len(text) > 32:
            text = text[:29] + "..."
        return f"<ExecuteReply[{self.execution_count}]: {text}>"

    def text(self) -> str:
        """Its result as IPython would show it: `Out[engine:count]: value`."""
        text = self.data.get("text/plain", "")
        if not text:
            return repr(self)
        joint = "\n" if "\n" in text else " "
        return f"Out[{self.metadata['engine_id']}:{self.execution_count}]:{joint}{text}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.text())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {mime: value for mime, value in self.data.items() if mime != "text/plain"}
