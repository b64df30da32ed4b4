"""Labels of views, without a cluster."""

from __future__ import annotations

import pytest

from paraply._engines import Engines
from paraply._proto.common.v1 import peer_pb2
from paraply._proto.scheduler.v1 import session_pb2
from paraply._session import wire
from paraply.client._labels import carriers, check_labels
from paraply.error import NoEnginesRegistered


def test_labels_are_copied_and_sorted() -> None:
    given = {"zone": "a", "disk": "ssd"}
    labels = check_labels(given)
    assert labels is not None
    assert (labels, list(labels)) == (given, ["disk", "zone"])
    assert labels is not given
    assert check_labels(None) is None
    assert check_labels({}) is None


@pytest.mark.parametrize(
    ("labels", "kind", "message"),
    [
        ("zone=a", TypeError, "labels are a dict like"),
        ([("zone", "a")], TypeError, "labels are a dict like"),
        ({"zone": 1}, TypeError, "a label's key and value are strings, not 'zone': 1"),
        ({1: "a"}, TypeError, "a label's key and value are strings"),
        ({"": "a"}, ValueError, "this one is empty"),
        ({str(n): "a" for n in range(17)}, ValueError, "at most 16 labels of 1024 bytes in all, not 17 of 41 bytes"),
        ({"zone": "ä" * 511}, ValueError, "not 1 of 1026 bytes"),
    ],
)
def test_what_are_no_labels_is_refused(labels: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        check_labels(labels)


def test_a_call_carries_them() -> None:
    options = ("f", "", 0, 1, None, None, False)
    body = wire.call_head(b"d" * 32, None, False, (), options, (("disk", "ssd"), ("zone", "a")))
    call = session_pb2.Call.FromString(body)
    assert dict(call.balanced.labels) == {"disk": "ssd", "zone": "a"}


def test_engines_are_found_by_all_their_labels() -> None:
    engines = Engines()
    carried = [{"zone": "a"}, {"zone": "b"}, {"zone": "a", "disk": "ssd"}]
    engines.replace([peer_pb2.Engine(engine_id=n, labels=labels) for n, labels in enumerate(carried)])
    assert carriers(engines, [0, 1, 2], {"zone": "a"}) == [0, 2]
    assert carriers(engines, [2, 1], {"disk": "ssd", "zone": "a"}) == [2]
    with pytest.raises(NoEnginesRegistered, match="no engine has labels zone=b: those of the 2 engines are"):
        carriers(engines, [0, 2], {"zone": "b"})
