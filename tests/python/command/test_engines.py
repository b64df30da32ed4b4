"""`paraply engines`: more engines for a cluster that runs."""

from home import Home


def test_adds_engines_under_new_ids(home: Home) -> None:
    home.start(1)
    assert "2 more engines: 1, 2" in home.run("engines", "-n", "2")
    assert [engine["engine_id"] for engine in home.status()["engines"]] == [0, 1, 2]


def test_a_cluster_without_engines_gets_some(home: Home) -> None:
    home.start(0)
    assert home.status()["engines"] == []
    home.run("engines", "-n", "1")
    assert [engine["state"] for engine in home.status()["engines"]] == ["ready"]
