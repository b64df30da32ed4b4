"""Children that a task forks and that come back from the task: they end as any Python process does."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        ("pass", 0, ""),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
        ("sys.exit()", 0, ""),
        ("sys.exit(7)", 7, ""),
        ("sys.exit('enough')", 1, "enough"),
    ],
)
def test_a_child_ends_with_the_status_that_it_deserves(cluster: Any, how: str, status: int, said: str) -> None:
    def fork(how: str) -> int:
        child = os.fork()
        if child == 0:
            exec(how, {"sys": sys})
            return 0
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    done = cluster.run(fork, how)
    assert done.value == status
    assert said in done.stderr if said else done.stderr == ""
    assert ("Traceback" in done.stderr) == (how == "1 / 0") and "paraply_engine" not in done.stderr


def test_a_child_of_executed_code_does_so_too(cluster: Any) -> None:
    done = cluster.run_code("import os\nchild = os.fork()\nif child == 0: 1 / 0\nos.waitpid(child, 0)[1] >> 8")
    assert isinstance(done.value["execution_count"], int)
    assert "ZeroDivisionError" in done.stderr
    assert cluster.run(os.getpid).value == cluster.engine.pid
