"""The vectors in ``proto/testdata/wire``: a message as proto3 JSON beside its bytes.

``services/common/tests/golden_vectors.rs`` reads the same files.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool, json_format, message_factory

import paraply._proto

FOLDER = Path(__file__).parents[3] / "proto" / "testdata" / "wire"
VECTORS = sorted(FOLDER.glob("*.json"))

for module in pkgutil.walk_packages(paraply._proto.__path__, "paraply._proto."):
    if module.name.endswith("_pb2"):
        importlib.import_module(module.name)


def test_there_are_vectors() -> None:
    assert VECTORS


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_the_bytes_are_those_of_the_description(path: Path) -> None:
    vector = json.loads(path.read_text(encoding="utf-8"))
    descriptor = descriptor_pool.Default().FindMessageTypeByName(vector["message"])
    kind = message_factory.GetMessageClass(descriptor)
    described = json_format.ParseDict(vector["value"], kind())
    raw = path.with_suffix(".bin").read_bytes()
    assert described.SerializeToString(deterministic=True) == raw
    assert kind.FromString(raw) == described
