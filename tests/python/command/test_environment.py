"""What processes of a cluster have from the shell that started it, and what not."""

import resource
import signal
import sys

import psutil
from home import Home
from supervised import read_until


def test_engines_and_services_belong_to_their_own_cluster(home: Home) -> None:
    foreign = {
        "PARAPLY_ADDRESS": "127.0.0.1:1",
        "PARAPLY_TOKEN": "a token of another cluster",
        "PARAPLY_CA": "/nowhere",
        "PARAPLY_ENGINE_TLS_CA_FILE": "/nowhere",
        "PARAPLY_CONTROLLER_TLS_CERT_FILE": "/nowhere",
        "PARAPLY_CONTROLLER_CLIENT_TOKEN": "a-token-of-another-cluster",
        "PARAPLY_CONTROLLER_CLUSTER_ID": "other",
        "PARAPLY_SCHEDULER_ENGINE_TOKEN_FILE": "/nowhere",
        "PARAPLY_SCHEDULER_CONTROLLER": "127.0.0.1:1",
    }
    home.env |= foreign
    home.start(1)
    assert home.status()["cluster_id"] == "default"
    engine = psutil.Process(home.status()["engines"][0]["pid"])
    assert (
        not {"PARAPLY_ADDRESS", "PARAPLY_TOKEN", "PARAPLY_CA", "PARAPLY_ENGINE_TLS_CA_FILE"} & engine.environ().keys()
    )


def test_a_relative_python_is_found_from_where_the_command_ran(home: Home) -> None:
    python = home.folder / "bin" / "mine"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (home.folder / "work").mkdir()
    home.start(1, "--python", "bin/mine", "--work-dir", "work")
    engine = psutil.Process(home.status()["engines"][0]["pid"])
    assert engine.cwd() == str(home.folder / "work")


def test_a_hangup_that_the_shell_has_ignored_is_ignored(home: Home) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        cluster = home.start_in_foreground("-n", "1")
    finally:
        signal.signal(signal.SIGHUP, before)
    read_until(cluster, "Ready")
    cluster.send_signal(signal.SIGHUP)
    assert [engine["state"] for engine in home.status()["engines"]] == ["ready"]
    cluster.send_signal(signal.SIGTERM)
    said, _ = cluster.communicate(timeout=20)
    assert "Terminated: stopping" in said
    assert "terminal" not in said


def test_services_may_open_all_files_they_can_and_engines_as_many_as_the_shell_said(home: Home) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = min(soft, 512)
    resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
    try:
        home.start(1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    status = home.status()
    limit = {
        who: psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE)[0]
        for who, pid in (
            ("supervisor", home.record()["pid"]),
            ("controller", status["controller"]["pid"]),
            ("scheduler", status["scheduler"]["pid"]),
            ("engine", status["engines"][0]["pid"]),
        )
    }
    assert limit == {"supervisor": hard, "controller": hard, "scheduler": hard, "engine": low}
