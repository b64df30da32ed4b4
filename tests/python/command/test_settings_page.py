"""docs/settings.md names what can be set, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from home import PARAPLY

PAGE = (Path(__file__).parents[3] / "docs/settings.md").read_text()

#: Shown by `--help`, and on other pages.
ELSEWHERE = {
    "help", "version", "kubernetes-secrets", "kubernetes-engines", "kubernetes-deletion-cost", "endpoint",
    "client-endpoint", "host", "days",
}  # fmt: skip


def flags(*command: str) -> set[str]:
    """What a program's `--help` shows, without the dashes."""
    shown = subprocess.check_output([*command, "--help"], text=True, timeout=60)
    return set(re.findall(r"^ +(?:-\w, )?--([a-z-]+)", shown, re.MULTILINE)) - ELSEWHERE


def tables(title: str) -> dict[str, set[str]]:
    """The names in backticks in the first columns of a section's tables, as flags, by the heads of these tables."""
    (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    found = {}
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, *rows = [row.split(" | ")[0] for row in table.splitlines()]
        names = {name.split()[0].lstrip("-") for name in re.findall(r"`([^`]+)`", " ".join(rows))} - {"..._file"}
        names |= {f"{name}_file" for name in names if name.endswith(("_token", "ticket_key"))}
        found[head.strip("| ")] = {name.replace("_", "-") for name in names}
    return found


def test_of_the_services() -> None:
    there = tables("Controller and scheduler")
    of_both = there["both"] | there[""]
    assert flags(str(PARAPLY), "controller") == of_both | there["controller"]
    assert flags(str(PARAPLY), "scheduler") == of_both | there["scheduler"]


def test_of_engines() -> None:
    assert flags(sys.executable, "-m", "paraply.engine") == tables("Engines")[""]
