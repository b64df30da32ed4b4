"""The vectors in ``proto/testdata/values``: payloads, what they hold, and payloads that hold nothing.

``proto/values/tests/vectors.rs`` reads the same file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from described import describe, make

from paraply import error
from paraply._serialize import Encoding, Payload, load_result, portable

FILE = Path(__file__).parents[3] / "proto" / "testdata" / "values" / "vectors.json"
VECTORS = json.loads(FILE.read_text(encoding="utf-8"))
READ = [vector for vector in VECTORS if "value" in vector]
WRITTEN = [vector for vector in READ if vector.get("written", True)]
REFUSED = [vector for vector in VECTORS if vector.get("refused")]


def payload_of(vector: dict[str, Any]) -> Payload:
    buffers = [bytes.fromhex(buffer) for buffer in vector.get("buffers", [])]
    return Payload(Encoding[vector["encoding"]], bytes.fromhex(vector["data"]), list(buffers))


def named(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def test_each_vector_says_what_becomes_of_it() -> None:
    assert WRITTEN and len(READ) + len(REFUSED) == len(VECTORS)


@pytest.mark.parametrize("vector", READ, ids=named)
def test_a_payload_is_read_as_its_description(vector: dict[str, Any]) -> None:
    assert describe(load_result(payload_of(vector))) == vector["value"]


@pytest.mark.parametrize("vector", WRITTEN, ids=named)
def test_a_value_is_written_as_these_bytes(vector: dict[str, Any]) -> None:
    written = portable.dump(make(vector["value"]))
    assert (written.encoding.name, bytes(written.data).hex()) == (vector["encoding"], vector["data"])
    assert [bytes(buffer).hex() for buffer in written.buffers] == vector.get("buffers", [])


@pytest.mark.parametrize("vector", REFUSED, ids=named)
def test_bytes_that_are_no_value_are_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(error.UnreadableError, match=vector["encoding"]):
        load_result(payload_of(vector))
