"""`paraply engines`: more engines for a cluster that runs."""

import os
import subprocess
import sys

from home import Home

import paraply


def test_adds_engines_under_new_ids(home: Home) -> None:
    home.start(1)
    assert "2 more engines: 1, 2" in home.run("engines", "-n", "2")
    assert [engine["engine_id"] for engine in home.status()["engines"]] == [0, 1, 2]


def test_a_cluster_without_engines_gets_some(home: Home) -> None:
    home.start(0)
    assert home.status()["engines"] == []
    home.run("engines", "-n", "1")
    assert [engine["state"] for engine in home.status()["engines"]] == ["ready"]


def test_an_engine_started_by_hand_finds_the_default_cluster(home: Home) -> None:
    command = [sys.executable, "-m", "paraply.engine", "--label", "zone=a"]
    lost = subprocess.run(command, env=home.env, capture_output=True, text=True, timeout=60, check=False)
    assert lost.returncode == 2
    assert "default/default/engine.json is not there: run `paraply start`" in lost.stderr
    home.start(1)
    with subprocess.Popen(command, env=home.env, stderr=subprocess.DEVNULL) as engine:
        try:
            with paraply.Client() as rc:
                rc.wait_for_engines(2, timeout=60)
                assert rc.direct_view(labels={"zone": "a"}).apply_sync(os.getpid) == [engine.pid]
        finally:
            engine.terminate()
            assert engine.wait(60) == 0
