"""What a report says of the machine and of the versions that were measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import psutil

from bench.systems import DISTRIBUTIONS


def machine() -> str:
    """Processor, cores, memory, kernel."""
    memory = psutil.virtual_memory().total / (1 << 30)
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores of {_processor()}, {memory:.0f} GiB of memory, Linux {platform.release()}"


def versions(systems: Sequence[str]) -> str:
    """The version of each system that is installed here, and Python's."""
    found = [f"Python {platform.python_version()}"]
    for name in systems:
        try:
            found.append(f"{name} {metadata.version(DISTRIBUTIONS[name])}")
        except (KeyError, metadata.PackageNotFoundError):
            continue  # a part of Python, or not here: its figures say so
    return ", ".join(found)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
