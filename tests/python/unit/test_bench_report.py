"""The table of `make bench`: medians over rounds, ratios, first bars, and what could not be measured."""

from __future__ import annotations

import pytest

from bench.report import median, missed, number, ratio, tables
from bench.rounds import Measured, rotated
from bench.rows import OWN_ROWS, ROWS

ROW = {row.key: row for row in (*ROWS, *OWN_ROWS)}


def measured(**figures: list[float]) -> Measured:
    return Measured(figures)


def cells(table: str, title: str) -> list[str]:
    """The cells of a row."""
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {title}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_figure_is_the_median_of_its_rounds() -> None:
    assert median(measured(latency=[900.0, 200.0, 300.0]), ROW["latency"]) == 300.0
    assert median(measured(latency=[200.0]), ROW["push"]) is None


def test_ratios_say_how_many_times_better_paraply_is() -> None:
    found = {
        "paraply": measured(latency=[200.0], tasks=[30_000.0]),
        "ipyparallel": measured(latency=[4000.0], tasks=[400.0]),
        "pool": measured(latency=[100.0], tasks=[60_000.0]),
    }
    assert ratio(found, ROW["latency"], "ipyparallel") == 20.0
    assert ratio(found, ROW["tasks"], "ipyparallel") == 75.0
    assert ratio(found, ROW["latency"], "pool") == 0.5
    assert ratio(found, ROW["tasks"], "pool") == 0.5
    assert ratio(found, ROW["push"], "pool") is None


def test_first_bars_that_are_missed_are_told() -> None:
    found = {
        "paraply": measured(start=[1.0], latency=[1000.0], memory=[30.0]),
        "ipyparallel": measured(start=[3.4], latency=[4000.0], memory=[290.0]),
    }
    assert [row.key for row in missed(found)] == ["latency", "memory"]
    table = tables(found)
    assert cells(table, "start")[-1] == "3.33: met"
    assert cells(table, "blocking no-op, one engine")[-1] == "6: missed"
    # What was not measured is neither, and has no row.
    assert "push 64 MiB" not in table


def test_without_the_one_that_bars_are_about_there_are_none() -> None:
    found = {"paraply": measured(latency=[1000.0]), "pool": measured(latency=[100.0])}
    assert missed(found) == []
    assert "first bar" not in tables(found)


def test_a_row_has_every_system_and_every_ratio() -> None:
    found = {"paraply": measured(push=[1234.0]), "ray": measured(push=[617.0]), "pool": measured()}
    assert cells(tables(found), "push 64 MiB") == ["push 64 MiB", "MB/s", "1,234", "617", "-", "2.00", "-"]


def test_what_failed_says_so_in_its_row_and_below() -> None:
    dask = measured()
    dask.add({"workload": "start", "problem": "OSError: no"})
    ray = measured()
    ray.add({"workload": "push", "figures": {"push": 5.0}})
    ray.add({"workload": "pull", "problem": "AssertionError: "})
    ray.add({"workload": "memory", "figures": None})
    found = {"paraply": measured(push=[10.0], pull=[10.0], memory=[10.0]), "dask": dask, "ray": ray}
    table = tables(found)
    assert cells(table, "push 64 MiB")[2:5] == ["10.0", "failed", "5.00"]
    assert cells(table, "pull 64 MiB")[2:5] == ["10.0", "failed", "failed"]
    assert cells(table, "memory")[2:5] == ["10.0", "failed", "-"]
    assert "- dask, start: OSError: no" in table


def test_rows_of_paraply_only_have_a_table_of_their_own() -> None:
    found = {"paraply": measured(latency=[1.0], alone_ratio=[2.5]), "pool": measured()}
    assert cells(tables(found), ROW["alone_ratio"].title) == [ROW["alone_ratio"].title, "", "2.50"]


def test_lines_of_a_table_are_equally_long() -> None:
    found = {"paraply": measured(latency=[1.0], push=[12345.0]), "ipyparallel": measured(latency=[70000.0])}
    assert len({len(line) for line in tables(found).splitlines()}) == 1


@pytest.mark.parametrize(
    ("figure", "shown"), [(None, "-"), (0.4567, "0.46"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346")]
)
def test_numbers_have_the_digits_that_say_something(figure: float | None, shown: str) -> None:
    assert number(figure) == shown


def test_each_round_begins_with_another_system() -> None:
    rounds = [rotated("abc", nth) for nth in range(4)]
    assert ["".join(order) for order in rounds] == ["abc", "bca", "cab", "abc"]
