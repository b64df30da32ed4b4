"""Values and functions to bytes and back, at both ends.

At the client: `dump_function`, `dump_arguments`, `load_result`, `load_exception`. At the engine: `prepare_function`, `run`,
`dump_exception`; `load_function`, `load_arguments` and `dump_result` are the parts of `run`.
"""

from paraply._serialize.functions import dump_function
from paraply._serialize.names import mark_interactive
from paraply._serialize.native import NativeFunction, native
from paraply._serialize.payload import PYTHON_VERSION, BytesLike, Encoding, Function, Payload
from paraply._serialize.prepared import Prepared, load_function, prepare_function, run
from paraply._serialize.prepickled import PrePickled
from paraply._serialize.reference import Reference
from paraply._serialize.values import (
    dump_arguments,
    dump_exception,
    dump_result,
    load_arguments,
    load_exception,
    load_result,
)

__all__ = [
    "PYTHON_VERSION",
    "BytesLike",
    "Encoding",
    "Function",
    "NativeFunction",
    "Payload",
    "PrePickled",
    "Prepared",
    "Reference",
    "dump_arguments",
    "dump_exception",
    "dump_function",
    "dump_result",
    "load_arguments",
    "load_exception",
    "load_function",
    "load_result",
    "mark_interactive",
    "native",
    "prepare_function",
    "run",
]
