"""Tables: Arrow's IPC stream, where pyarrow is there."""

from __future__ import annotations

from typing import Any

from paraply import error
from paraply._serialize.payload import Encoding, Payload


def is_table(value: Any) -> bool:
    """Whether `value` is a `pyarrow.Table` or a `pyarrow.RecordBatch`."""
    kind = type(value)
    return kind.__module__ == "pyarrow.lib" and kind.__name__ in ("Table", "RecordBatch")


def dump(table: Any) -> Payload:
    """A table or a record batch as a value."""
    import pyarrow

    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write(table)
    return Payload(Encoding.ARROW, memoryview(sink.getvalue()))


def load(payload: Payload) -> Any:
    """The table of a payload: a `pyarrow.Table`."""
    try:
        import pyarrow
    except ImportError:
        raise error.UnreadableError(
            "the value is an Arrow table, and pyarrow is not there to read it: install pyarrow"
        ) from None
    with pyarrow.ipc.open_stream(pyarrow.py_buffer(payload.data)) as stream:
        return stream.read_all()
