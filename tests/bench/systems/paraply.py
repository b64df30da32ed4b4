"""The project itself."""

from __future__ import annotations

import psutil

from bench.systems.system import descendants
from bench.systems.views import Views


class Paraply(Views):
    """A local cluster, as anybody starts one."""

    def start(self, engines: int) -> None:
        import paraply

        self.start_with(paraply, engines)

    def servers(self) -> list[psutil.Process]:
        return [self.service("controller"), self.service("scheduler")]

    def service(self, role: str) -> psutil.Process:
        """The process of a service. Raises LookupError if there is not exactly one."""
        found = [process for process, line in descendants() if line[1:2] == [role] and line[0].endswith("paraply")]
        if len(found) != 1:
            raise LookupError(f"{len(found)} processes are a {role}")
        return found[0]
