"""Runs a document cell by cell in an IPython shell, and stops at the first error."""

from __future__ import annotations

import sys
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell

sys.path.insert(0, str(Path(__file__).parent))

from plain import cells


def main(path: str) -> None:
    """Runs the document at `path`."""
    shell = InteractiveShell.instance()
    for cell in cells(Path(path).read_text()):
        outcome = shell.run_cell(cell, store_history=True)
        if not outcome.success:
            sys.exit(f"this cell failed:\n{cell}")


if __name__ == "__main__":
    main(sys.argv[1])
