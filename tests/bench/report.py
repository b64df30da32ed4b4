"""The table: medians over rounds, and how many times better Paraply is than each of the others."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from bench.rounds import Measured
from bench.rows import OWN_ROWS, ROWS, Row
from bench.systems import OURS

#: The one that the first bars are about.
MEASURE = "ipyparallel"


def median(measured: Measured, row: Row) -> float | None:
    """The median over rounds, None where there is no figure."""
    figures = measured.figures.get(row.key)
    return statistics.median(figures) if figures else None


def ratio(measured: Mapping[str, Measured], row: Row, peer: str) -> float | None:
    """How many times better Paraply's figure is than a peer's, None where one of them is missing."""
    ours, theirs = median(measured[OURS], row), median(measured[peer], row)
    return row.times_better(ours, theirs) if ours and theirs else None


def missed(measured: Mapping[str, Measured]) -> list[Row]:
    """The rows whose first bar is not met. One that could not be measured is not among them."""
    if MEASURE not in measured:
        return []
    ratios = [(row, ratio(measured, row, MEASURE)) for row in ROWS]
    return [row for row, found in ratios if row.bar is not None and found is not None and found < row.bar]


def tables(measured: Mapping[str, Measured]) -> str:
    """Markdown: everything side by side, then what is measured on Paraply only, then what went wrong."""
    parts = [_compared(measured), _own(measured[OURS]), _problems(measured)]
    return "\n\n".join(part for part in parts if part)


def number(figure: float | None) -> str:
    """As a table has it: three digits that say something, and a comma for thousands."""
    if figure is None:
        return "-"
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def _compared(measured: Mapping[str, Measured]) -> str:
    peers = [name for name in measured if name != OURS]
    head = ["", "unit", *measured, *(f"vs {peer}" for peer in peers)]
    if MEASURE in peers:
        head.append("first bar")
    lines = []
    for row in ROWS:
        figures = [_cell(measured[name], row) for name in measured]
        if all(figure == "-" for figure in figures):
            continue
        ratios = [number(ratio(measured, row, peer)) for peer in peers]
        line = [row.title, row.unit, *figures, *ratios]
        if MEASURE in peers:
            line.append(_bar(row, ratio(measured, row, MEASURE)))
        lines.append(line)
    return _markdown(head, lines)


def _cell(measured: Measured, row: Row) -> str:
    if row.workload in measured.problems or "start" in measured.problems:
        return "failed"
    return number(median(measured, row))


def _bar(row: Row, found: float | None) -> str:
    if row.bar is None:
        return ""
    said = {None: "not measured", True: "met", False: "missed"}[None if found is None else found >= row.bar]
    return f"{row.bar:.3g}: {said}"


def _own(measured: Measured) -> str:
    rows = [[row.title, row.unit, number(median(measured, row))] for row in OWN_ROWS if row.key in measured.figures]
    return _markdown(["Paraply only", "unit", ""], rows) if rows else ""


def _problems(measured: Mapping[str, Measured]) -> str:
    said = [
        f"- {name}, {workload}: {problem}"
        for name, found in measured.items()
        for workload, problem in found.problems.items()
    ]
    return "\n".join(["What went wrong:", "", *said]) if said else ""


def _markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table whose columns line up as text too. The first two columns are words, the others numbers."""
    widths = [max(len(line[column]) for line in (head, *lines)) for column in range(len(head))]

    def shown(line: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return f"| {' | '.join(cells)} |"

    rule = ["-" * width if column < 2 else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join([shown(head), shown(rule), *map(shown, lines)])
