"""`cluster.json`: what a supervisor has started."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Version of the file that this reads.
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Record:
    """The part of the file that Python needs.

    Args:
        profile_dir: The folder of the cluster's profile.
        control: The supervisor's socket.
        engines: Engines asked for at the start.
    """

    profile_dir: str
    cluster_id: str
    control: Path
    engines: int

    @classmethod
    def read(cls, file: Path) -> Record:
        """Reads the file. Raises FileNotFoundError or ValueError."""
        content = json.loads(file.read_text())
        if content.get("version") != FORMAT_VERSION:
            raise ValueError(
                f"{file}: version {content.get('version')!r} of the format; this client reads {FORMAT_VERSION}"
            )
        return cls(
            str(file.absolute().parent.parent), content["cluster_id"], Path(content["control"]), content["engines"]
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "profile_dir": self.profile_dir,
            "cluster_id": self.cluster_id,
            "control": str(self.control),
            "engines": self.engines,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Record:
        """The inverse of `to_dict`."""
        return cls(content["profile_dir"], content["cluster_id"], Path(content["control"]), content["engines"])
