"""What a start leaves in the cluster's folder."""

import stat
from pathlib import Path

from home import Home


def folder(home: Home) -> Path:
    """The default cluster's."""
    return home.folder / "home" / "default" / "default"


def test_logs_are_those_of_the_last_start(home: Home) -> None:
    for _ in range(2):
        home.start(1)
        home.run("stop")
    logs = sorted(path.name for path in (folder(home) / "logs").iterdir())
    assert len([name for name in logs if name.startswith("engine-")]) == 1
    assert home.log("controller").count("controller is up") == 1
    assert home.log("supervisor").count("Starting cluster") == 2, "this one goes on"


def test_logs_and_state_are_their_owners_only(home: Home) -> None:
    home.start(1)
    for path in [*(folder(home) / "logs").iterdir(), folder(home) / "store" / "controller.json"]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_start_that_fails_late_is_not_found_afterwards(home: Home) -> None:
    (folder(home) / "cluster.json").mkdir(parents=True)
    assert "cannot write" in home.run("start", "-n", "1", expect=1)
    assert sorted(path.name for path in folder(home).iterdir()) == ["cluster.json", "lock", "logs", "store"]
    assert not list((home.folder / "run" / "paraply").iterdir())


def test_an_ephemeral_cluster_in_the_background_leaves_nothing(home: Home) -> None:
    home.start(0, "--ephemeral")
    assert folder(home).exists()
    home.run("stop")
    assert not folder(home).exists()
