"""The texts of errors, which programs and people read."""

from __future__ import annotations

import pickle

import pytest

from paraply import error
from paraply.error import AlreadyDisplayedError, CompositeError, RemoteError

INFO = {"engine_id": 0, "engine_uuid": "u", "method": "apply"}


def remote(engine: int = 0) -> RemoteError:
    return RemoteError("ZeroDivisionError", "division by zero", "Traceback\n  line", {**INFO, "engine_id": engine})


def composite(count: int) -> CompositeError:
    errors = [remote(engine) for engine in range(count)]
    return CompositeError(
        "one or more exceptions raised in: f", [(e.ename, e.evalue, e.traceback, e.engine_info) for e in errors]
    )


def test_remote_error() -> None:
    failure = remote()
    assert repr(failure) == "<RemoteError[0]:ZeroDivisionError(division by zero)>"
    assert str(failure) == "[0:apply] ZeroDivisionError: division by zero"
    assert failure.render_traceback() == ["[0:apply]", "Traceback", "  line"]


def test_remote_error_without_an_engine() -> None:
    failure = RemoteError("E", "v", None)
    assert str(failure) == "[Engine Exception] E: v"
    assert repr(failure) == "<RemoteError[ ]:E(v)>"


def test_composite_error() -> None:
    assert str(composite(2)).splitlines() == [
        "one or more exceptions raised in: f",
        "[0:apply]ZeroDivisionError: division by zero",
        "[1:apply]ZeroDivisionError: division by zero",
    ]
    assert composite(2).args == ("ZeroDivisionError", "ZeroDivisionError")


def test_composite_error_shows_the_first_few() -> None:
    lines = str(composite(6)).splitlines()
    assert len(lines) == 6
    assert lines[-1] == ".... 2 more exceptions ..."
    assert composite(6).render_traceback()[-1] == "... 2 more exceptions ..."


def test_raising_one_of_several() -> None:
    with pytest.raises(RemoteError, match=r"^\[1:apply\] ZeroDivisionError") as caught:
        composite(2).raise_exception(1)
    assert not isinstance(caught.value, CompositeError)
    with pytest.raises(IndexError, match="index 2 does not exist"):
        composite(2).raise_exception(2)


def test_already_displayed() -> None:
    assert str(AlreadyDisplayedError(composite(6))) == "6 errors"
    assert str(AlreadyDisplayedError(remote())) == "1 error"


@pytest.mark.parametrize("failure", [remote(), composite(3), AlreadyDisplayedError(composite(2))])
def test_errors_can_be_pickled(failure: RemoteError) -> None:
    loaded = pickle.loads(pickle.dumps(failure))
    assert (type(loaded), str(loaded)) == (type(failure), str(failure))


def test_collecting() -> None:
    assert error.collect_exceptions([1, 2]) == [1, 2]
    with pytest.raises(CompositeError) as caught:
        error.collect_exceptions([1, remote(0), composite(2)], "f")
    assert len(caught.value.elist) == 3
    assert str(caught.value).startswith("one or more exceptions raised in: f\n[0:apply]Zero")


def test_wrapping() -> None:
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        content = error.wrap_exception(INFO)
    assert str(error.unwrap_exception(content)) == "[0:apply] ZeroDivisionError: division by zero"


def test_classes() -> None:
    assert error.TimeoutError is TimeoutError
    assert issubclass(error.DependencyTimeout, error.TaskTimeout)
    assert issubclass(error.UnpicklableError, TypeError)
    assert "wait_for_engines" in str(error.NoEnginesRegistered())
