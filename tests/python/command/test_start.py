"""`paraply start` in the foreground: what it shows, and how it ends."""

import signal
import time

import psutil
import pytest
from home import Home
from supervised import read_until


def test_shows_what_it_started(home: Home) -> None:
    cluster = home.start_in_foreground("-n", "2")
    shown = "".join(read_until(cluster, "Ready"))
    for process in psutil.Process(cluster.pid).children():
        assert f"pid {process.pid}" in shown
    assert "Ready, with 2 engines" in shown
    cluster.send_signal(signal.SIGINT)
    cluster.communicate(timeout=60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(home: Home, number: signal.Signals) -> None:
    # Whoever runs the tests may have had it ignored.
    before = signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    try:
        cluster = home.start_in_foreground("-n", "2")
    finally:
        signal.signal(number, before)
    read_until(cluster, "Ready")
    cluster.send_signal(number)
    said, _ = cluster.communicate(timeout=60)
    assert cluster.returncode == 0, said
    home.wait_until_empty()
    assert "no cluster" in home.run("status", expect=11)


def test_a_signal_during_the_start_stops_everything(home: Home) -> None:
    cluster = home.start_in_foreground("-n", "2")
    read_until(cluster, "controller")
    cluster.send_signal(signal.SIGINT)
    cluster.communicate(timeout=60)
    home.wait_until_empty()


def test_a_second_interrupt_kills(home: Home) -> None:
    cluster = home.start_in_foreground("-n", "2")
    read_until(cluster, "Ready")
    engines = [process for process in home.processes() if "paraply.engine" in process.cmdline()]
    for engine in engines:
        engine.suspend()
    cluster.send_signal(signal.SIGINT)
    read_until(cluster, "stopping")
    cluster.send_signal(signal.SIGINT)
    said, _ = cluster.communicate(timeout=60)
    assert "Killing what is left" in said
    home.wait_until_empty()


def test_hanging_engines_are_killed(home: Home) -> None:
    home.start(2)
    for process in home.processes():
        if "paraply.engine" in process.cmdline():
            process.suspend()
    begun = time.monotonic()
    home.run("stop")
    assert time.monotonic() - begun < 30
    home.wait_until_empty()


def test_threads_of_libraries_are_divided_among_engines(home: Home) -> None:
    home.env["OMP_NUM_THREADS"] = "7"
    home.start(2)
    engine = next(process for process in home.processes() if "paraply.engine" in process.cmdline())
    environment = engine.environ()
    assert environment["OMP_NUM_THREADS"] == "7"
    assert int(environment["OPENBLAS_NUM_THREADS"]) == max(1, psutil.cpu_count() // 2)
