"""Turns a document with IPython's magics into a plain Python script that does the same by calls."""

from __future__ import annotations


def cells(document: str) -> list[str]:
    """The cells of a document: what stands between lines that begin with `# %%`."""
    found: list[list[str]] = []
    for line in document.splitlines():
        if line.startswith("# %%"):
            found.append([])
        else:
            found[-1].append(line)
    return ["\n".join(lines).strip("\n") for lines in found]


def as_script(document: str, client: str) -> str:
    """The document as one script. `client` is what it calls its client."""
    return "\n".join(_cell(cell, client) for cell in cells(document))


def _cell(cell: str, client: str) -> str:
    first, _, rest = cell.partition("\n")
    if first.startswith("%%px"):
        return _shown(rest, client)
    return "\n".join(_line(line, client) for line in cell.split("\n"))


def _line(line: str, client: str) -> str:
    magic, _, rest = line.partition(" ")
    if magic == "%px":
        return _shown(rest, client)
    if magic == "%timeit":
        return rest.removeprefix("-n1 -r1 ")
    if magic == "%ls":
        return "import os; print(*sorted(os.listdir()))"
    return line


def _shown(code: str, client: str) -> str:
    return f"{client}[:].execute({code!r}, silent=False, block=True).display_outputs()"
