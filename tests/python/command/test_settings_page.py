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


def section(title: str) -> set[str]:
    """The names in backticks of a section, as flags."""
    (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    cells = " ".join(line.split(" | ")[0] for line in text.splitlines() if line.startswith("|"))
    names = {name.split()[0].lstrip("-").replace("_", "-") for name in re.findall(r"`([^`]+)`", cells)}
    return names | ({f"{name}-file" for name in names if name.endswith(("-token", "ticket-key"))})


def test_of_the_services() -> None:
    there = flags(str(PARAPLY), "controller") | flags(str(PARAPLY), "scheduler")
    assert there == section("Controller and scheduler") - {"...-file"}


def test_of_engines() -> None:
    there = flags(sys.executable, "-m", "paraply.engine")
    assert there == section("Engines")
