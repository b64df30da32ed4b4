"""`paraply start --daemonize`: returns when the cluster is ready, or says why it is not."""

import sys

from home import Home


def test_returns_when_engines_take_tasks(home: Home) -> None:
    home.start(2)
    status = home.status()
    assert [engine["state"] for engine in status["engines"]] == ["ready", "ready"]
    assert status["controller"]["version"] == status["scheduler"]["version"] != ""
    home.run("stop")
    home.wait_until_empty()


def test_a_python_without_paraply_is_named_with_what_to_do(home: Home) -> None:
    bare = home.folder / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys._base_executable} -I "$@"\n')  # type: ignore[attr-defined]
    bare.chmod(0o755)
    said = home.run("start", "-n", "2", "--daemonize", "--python", str(bare), expect=1)
    assert "cannot import paraply's engine" in said
    assert "No module named 'paraply'" in said
    assert "pip install" in said
    home.wait_until_empty()
    assert "no cluster" in home.run("status", expect=11)


def test_a_python_that_is_not_there_is_named(home: Home) -> None:
    said = home.run("start", "-n", "2", "--daemonize", "--python", "/nowhere/python", expect=1)
    assert "/nowhere/python cannot be started" in said
    home.wait_until_empty()


def test_an_engine_that_dies_at_its_start_shows_the_end_of_its_log(home: Home) -> None:
    broken = home.folder / "broken"
    broken.write_text(
        f'#!/bin/sh\ncase "$*" in *--connection*) echo no luck today; exit 3;; esac\nexec {sys.executable} "$@"\n'
    )
    broken.chmod(0o755)
    said = home.run("start", "-n", "2", "--daemonize", "--python", str(broken), expect=1)
    assert "exit status 3" in said
    assert "no luck today" in said
    home.wait_until_empty()


def test_a_service_that_cannot_run_shows_the_end_of_its_log(home: Home) -> None:
    home.env["PARAPLY_SCHEDULER_BLOB_BYTES"] = "plenty"
    said = home.run("start", "-n", "1", "--daemonize", expect=1)
    assert "the scheduler keeps ending (exit status 1)" in said
    assert "PARAPLY_SCHEDULER_BLOB_BYTES" in said
    home.wait_until_empty()
