"""The supervisor's socket: malformed requests are answered, and the cluster goes on."""

import json
import socket
import time

import pytest
from home import Home, eventually
from supervised import ask, engines


def test_what_cannot_be_done_is_an_error(home: Home) -> None:
    home.start(1)
    for line, kind in (
        (b"", "invalid"),
        (b"stop", "invalid"),
        (b'{"op": "fly"}', "invalid"),
        (b'{"op": "stop", "now": true}', "invalid"),
        (b'{"op": "start_engines", "n": 0}', "invalid"),
        (b'{"op": "start_engines", "n": 1, "engine_set": "../x"}', "invalid"),
        (b'{"op": "signal_engines", "signal": 999}', "invalid"),
        (b'{"op": "stop_engines", "engine_set": "other"}', "not_found"),
        (b'{"op": "restart_engines", "engine_id": 7}', "not_found"),
    ):
        assert ask(home, line)["error"]["kind"] == kind, line
    assert len(home.status()["engines"]) == 1


def test_a_line_without_end_is_cut_off(home: Home) -> None:
    home.start(1)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(home.record()["control"])
        try:
            connection.sendall(b"x" * (2 << 20))
        except (BrokenPipeError, ConnectionResetError):
            pass
        else:
            assert "error" in json.loads(connection.makefile().readline())
    assert len(home.status()["engines"]) == 1


@pytest.mark.parametrize("selector", [{}, {"engine_id": 0}])
def test_restarted_engines_stay_in_their_set_under_new_ids(home: Home, selector: dict[str, int]) -> None:
    home.start(2)
    (set_id,) = engines(home)
    before = {engine["engine_id"] for engine in engines(home)[set_id]}
    assert before == {0, 1}
    assert ask(home, json.dumps({"op": "restart_engines", **selector}).encode()) == {"done": {}}

    def joined() -> bool:
        return all(engine["engine_id"] is not None for engine in engines(home)[set_id])

    eventually(joined, "the new engines join")
    now = {engine["engine_id"] for engine in engines(home)[set_id]}
    assert now == ({1, 2} if selector else {2, 3})


def test_a_stopped_set_is_gone(home: Home) -> None:
    home.start(1)
    added = ask(home, b'{"op": "start_engines", "n": 1, "engine_set": "more", "wait": true}')["engine_set"]
    assert added == {"engine_set": "more", "engine_ids": [1], "failures": []}
    assert ask(home, b'{"op": "stop_engines", "engine_set": "more"}') == {"done": {}}
    assert "more" not in engines(home)
    eventually(
        lambda: [engine["engine_id"] for engine in home.status()["engines"]] == [0], "the controller hears of it"
    )


def test_an_engine_may_be_asked_for_before_it_is_known(home: Home) -> None:
    """Clients hear of engines by a way of their own."""
    home.start(1)
    assert ask(home, b'{"op": "start_engines", "n": 1}')["engine_set"]["engine_ids"] == [], "it is only starting"
    begun = time.monotonic()
    answer = ask(home, b'{"op": "stop_engines", "engine_id": 1}')
    if answer != {"done": {}}:
        assert time.monotonic() - begun >= 5, "it waits for an engine that is on its way"
        eventually(lambda: ask(home, b'{"op": "stop_engines", "engine_id": 1}') == {"done": {}}, "it has joined")
    eventually(lambda: [engine["engine_id"] for engine in home.status()["engines"]] == [0], "it was the one")
    assert ask(home, b'{"op": "stop_engines", "engine_id": 1}')["error"]["kind"] == "not_found"
