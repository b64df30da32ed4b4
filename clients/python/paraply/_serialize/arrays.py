"""N-dimensional arrays: a header in MessagePack, and the elements as they lie in memory."""

from __future__ import annotations

import math
import pickle
from typing import Any

from paraply import error
from paraply._serialize.payload import OUT_OF_BAND_BYTES, BytesLike, Encoding, Payload

#: MessagePack's extension type of an array inside another value.
TAG = 1

_DTYPES = frozenset(
    ["bool", "float16", "float32", "float64", "complex64", "complex128"]
    + [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
)
_DIMENSIONS = 64
_BUFFERS = 4096


def is_array(value: Any) -> bool:
    """Whether `value` is a `numpy.ndarray`, and of no class derived from it."""
    kind = type(value)
    return kind.__name__ == "ndarray" and kind.__module__ == "numpy"


def dump(array: Any) -> Payload | None:
    """An array as a value; None where its elements have no portable form."""
    import msgpack

    found = _taken_apart(array)
    if found is None:
        return None
    header, elements = found
    return Payload(Encoding.NDARRAY, msgpack.packb(header), [elements])


def dump_part(array: Any, buffers: list[BytesLike]) -> Any:
    """An array as a part of a value, with its elements among `buffers` if they are many; None as in `dump`."""
    import msgpack

    found = _taken_apart(array)
    if found is None:
        return None
    header, elements = found
    place: Any = elements
    if elements.nbytes >= OUT_OF_BAND_BYTES and len(buffers) < _BUFFERS:
        place = len(buffers)
        buffers.append(elements)
    return msgpack.ExtType(TAG, msgpack.packb([header, place]))


def _taken_apart(array: Any) -> tuple[dict[str, Any], memoryview] | None:
    if array.dtype.name not in _DTYPES:
        return None
    if array.dtype.str.startswith(">"):
        array = array.astype(array.dtype.newbyteorder("<"))
    if not array.flags.forc:
        array = array.copy(order="C")
    order = "C" if array.flags.c_contiguous else "F"
    header = {"dtype": array.dtype.name, "shape": list(array.shape), "order": order}
    return header, pickle.PickleBuffer(array).raw()


def load(payload: Payload) -> Any:
    """The array of a payload."""
    import msgpack

    if len(payload.buffers) != 1:
        raise ValueError(f"an array has one buffer, not {len(payload.buffers)}")
    return _put_together(msgpack.unpackb(payload.data), payload.buffers[0])


def load_part(body: bytes, buffers: list[BytesLike]) -> Any:
    """An array that is a part of a value."""
    import msgpack

    header, place = msgpack.unpackb(body)
    if isinstance(place, int):
        if not 0 <= place < len(buffers):
            raise ValueError(f"the payload has no buffer {place}")
        place = buffers[place]
    return _put_together(header, place)


def _put_together(header: dict[str, Any], elements: BytesLike) -> Any:
    """A writable array: where the elements are read-only, a copy of them."""
    try:
        import numpy
    except ImportError:
        raise error.UnreadableError("the value is an array, and numpy is not there to read it: install numpy") from None
    dtype, shape, order = header["dtype"], header["shape"], header["order"]
    if dtype not in _DTYPES or order not in ("C", "F"):
        raise ValueError(f"no array has the dtype {dtype!r} and the order {order!r}")
    if len(shape) > _DIMENSIONS or not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError(f"an array cannot have the shape {shape!r}")
    kind = numpy.dtype(dtype).newbyteorder("<")
    size = memoryview(elements).nbytes
    if math.prod(shape) * kind.itemsize != size:
        raise ValueError(f"an array of shape {shape} and dtype {dtype} does not have {size} bytes")
    if memoryview(elements).readonly:
        elements = bytearray(elements)
    return numpy.frombuffer(elements, kind).reshape(shape, order=order)
