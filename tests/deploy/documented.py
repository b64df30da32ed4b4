"""What a page of docs/ tells its reader to type."""

from __future__ import annotations

import re
from pathlib import Path


class Section:
    """A part of a page, under a heading of the second level."""

    def __init__(self, page: Path, heading: str) -> None:
        _, _, rest = page.read_text().partition(f"\n## {heading}\n")
        assert rest, f"{page} has no section {heading!r}"
        self._text, _, _ = rest.partition("\n## ")
        #: Its blocks of commands: not those that are marked as another language.
        self.blocks = re.findall(r"^```\n(.*?)^```$", self._text, re.DOTALL | re.MULTILINE)

    def commands(self, block: int) -> list[str]:
        """The commands of a block, each with its lines, without comments at their ends."""
        joined = self.blocks[block].replace("\\\n", "\0")
        return [re.sub(r"\s{2,}#.*", "", line).replace("\0", "\\\n") for line in joined.splitlines()]

    def inline(self, beginning: str) -> str:
        """The one piece of code in the text that begins so."""
        prose = re.sub(r"^```.*?^```$", "", self._text, flags=re.DOTALL | re.MULTILINE)
        (found,) = (code for code in re.findall(r"`([^`]+)`", prose) if code.startswith(beginning))
        return found
