"""ipyparallel: the model that Paraply's calls follow."""

from __future__ import annotations

import logging

import psutil

from bench.systems.system import descendants
from bench.systems.views import Views


class IPyParallel(Views):
    """A local cluster, as anybody starts one."""

    def start(self, engines: int) -> None:
        import ipyparallel

        self.start_with(ipyparallel, engines, log_level=logging.ERROR)

    def servers(self) -> list[psutil.Process]:
        # The hub, the four schedulers and the heart monitor.
        return [process for process, line in descendants() if "ipyparallel.controller" in " ".join(line)]
