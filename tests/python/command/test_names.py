"""Which cluster is meant: by profile and id, one of a name at a time."""

import json
import time

from home import Home


def test_a_name_runs_once(home: Home) -> None:
    home.start(1)
    said = home.run("start", "-n", "1", expect=10)
    assert "'default' of profile 'default' is already running" in said
    assert "paraply stop default --profile default" in said
    assert "already running" in home.run("start", "-n", "1", "--daemonize", expect=10)
    assert len(home.status()["engines"]) == 1


def test_two_clusters_on_one_profile(home: Home) -> None:
    home.start(1)
    home.start(2, "--cluster-id", "second")
    rows = [line.split() for line in home.run("list").splitlines()[1:]]
    assert rows == [["default", "default", "yes", "1", "local"], ["default", "second", "yes", "2", "local"]]
    assert len(json.loads(home.run("status", "--cluster-id", "second", "--json"))["engines"]) == 2
    home.run("stop", "second")
    assert "'second' of profile 'default'" in home.run("stop", "second", expect=11)
    assert len(home.status()["engines"]) == 1


def test_without_a_default_the_newest_is_meant(home: Home) -> None:
    home.start(1, "--cluster-id", "older")
    # Which is newer is told by the time of a file.
    while time.time() <= (home.folder / "home/default/older/cluster.json").stat().st_mtime:
        time.sleep(0.001)
    home.start(1, "--cluster-id", "newer")
    assert home.status()["cluster_id"] == "newer"
    home.run("stop")
    assert home.status()["cluster_id"] == "older"


def test_profiles_are_apart(home: Home) -> None:
    home.start(1, "--profile", "mpi")
    assert "no cluster of profile 'default' is running" in home.run("status", expect=11)
    assert json.loads(home.run("list", "--json"))[0]["profile"] == "mpi"
    assert home.run("list", "--profile", "default").splitlines() == ["PROFILE  CLUSTER ID  RUNNING  ENGINES  LAUNCHER"]
    home.run("stop", "--profile", "mpi")


def test_none_running(home: Home) -> None:
    for command in (["status"], ["stop"], ["engines", "-n", "1"]):
        assert "`paraply start" in home.run(*command, expect=11)
    assert "No cluster is running" in home.run("stop", "--all")


def test_a_bad_name_is_refused(home: Home) -> None:
    for name in ("../x", "", ".hidden", "a b"):
        assert "is not a name" in home.run("start", "-n", "1", f"--cluster-id={name}", expect=1)
