"""What happens when a process of a cluster is killed."""

import contextlib
import os
import signal
import stat
from pathlib import Path

import psutil
from home import Home, eventually, leases


def test_killing_the_supervisor_leaves_nothing(home: Home) -> None:
    home.start(2)
    assert len(home.processes()) == 5
    os.kill(home.record()["pid"], signal.SIGKILL)
    eventually(lambda: not home.processes(), "every process ends")
    rows = [line.split() for line in home.run("list").splitlines()[1:]]
    assert rows == [["default", "default", "no", "-", "local"]]
    assert "no cluster" in home.run("status", expect=11)


def test_what_a_killed_supervisor_left_is_cleared_by_the_next(home: Home) -> None:
    home.start(1)
    old = home.record()
    os.kill(old["pid"], signal.SIGKILL)
    eventually(lambda: not home.processes(), "every process ends")
    home.start(1)
    assert not Path(old["control"]).exists()
    assert [engine["engine_id"] for engine in home.status()["engines"]] == [0]


def test_a_killed_scheduler_is_started_again_at_its_addresses(home: Home) -> None:
    home.start(2)
    before = home.status()
    home.kill_scheduler()
    home.wait_for_another_scheduler(2)
    assert [e["pid"] for e in home.status()["engines"]] == [e["pid"] for e in before["engines"]]
    assert "The scheduler" in home.log("supervisor")
    assert "killed by signal 9 (SIGKILL): starting it again" in home.log("supervisor")


def test_a_killed_controller_is_started_again_and_knows_the_engines(home: Home) -> None:
    home.start(2)
    before = home.status()
    os.kill(before["controller"]["pid"], signal.SIGKILL)

    def back() -> bool:
        now = home.status()
        return [(e["engine_id"], e["pid"], e["state"]) for e in now["engines"]] == [
            (e["engine_id"], e["pid"], "ready") for e in before["engines"]
        ]

    eventually(back, "another controller knows both engines")
    assert home.status()["controller"]["pid"] != before["controller"]["pid"]


def test_a_killed_engine_is_reported_and_missed(home: Home) -> None:
    # Not because it is silent.
    home.env |= leases(120)
    home.start(2)
    victim, survivor = home.status()["engines"]
    os.kill(victim["pid"], signal.SIGKILL)
    eventually(
        lambda: [engine["engine_id"] for engine in home.status()["engines"]] == [survivor["engine_id"]],
        "status misses the engine",
    )
    told = f"Engine {victim['engine_id']} (pid {victim['pid']}) ended, killed by signal 9 (SIGKILL)"
    eventually(lambda: told in home.log("supervisor"), "the supervisor reports it")


def test_files_with_tokens_are_their_owners_only(home: Home) -> None:
    home.start(1)
    folder = home.folder / "home" / "default" / "default"
    for name in ("connection.json", "engine.json", "services.toml", "cluster.json"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    sockets = Path(home.record()["control"]).parent
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    home.run("stop")
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "logs", "store"]
    assert not sockets.exists()


def test_only_the_supervisor_can_end_the_pipe_that_children_watch(home: Home) -> None:
    home.start(1)
    supervisor = home.record()["pid"]
    for process in psutil.Process(supervisor).children():
        descriptors = Path(f"/proc/{process.pid}/fd")
        assert os.readlink(descriptors / "3").startswith("pipe:")
        pipe = os.readlink(descriptors / "3")
        modes = []
        for path in descriptors.iterdir():
            # It opens and closes others meanwhile.
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(path) == pipe:
                    modes.append(Path(f"/proc/{process.pid}/fdinfo/{path.name}").read_text())
        # "flags: ...0" is open for reading: no child has the other end.
        assert all(mode.split("flags:")[1].split()[0].endswith("0") for mode in modes)
