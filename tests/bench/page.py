"""`docs/benchmarks.md`: the tables, and what has to be known to read and to repeat them."""

from __future__ import annotations

import textwrap
import time

from bench.machine import machine, versions
from bench.report import tables
from bench.rounds import Measured, Plan

_PAGE = """\
# Benchmarks

Made by `make bench`: do not edit.

{measured_on} One figure is the median of {rounds} rounds. A round runs each system in a fresh process, with {engines}
engines, one system after the other and in another order each time.

{tables}

`vs` a peer is how many times better Paraply's figure is: above 1 it is faster, or smaller. The first bar is the least that
it is to be against ipyparallel: start in at most 0.3 of its time, memory at most a tenth.

## The rules

- A task is a task: an element of a map, or a call, is one. Nobody puts several into a chunk.
- What is moved is changed before each move, so that no cache can answer, and what comes back is compared with what it
  has to be.
- The functions that are called are those of the program's `__main__`, as a user's are.
- "One engine" is the same each time: an engine, a worker or an actor. A system that has no such thing is called where it
  likes, or has no figure (-).
- Push to all counts the bytes of all copies.
- Memory is that of the processes between client and engines, and what the system has in `/dev/shm`. Dask's scheduler is
  a thread of the client here, and the pool has no server.
- Bare gRPC is grpcio's public interface, a relay that passes on what comes, and an end that answers: two hops, as from
  client to engine, and nothing behind them.
- The scheduler's CPU is what the kernel has counted for its threads, first until all tasks are queued while no engine
  takes one, then until the client has all results.

## To repeat it

```
make bench                                              # all of it, about ten minutes; writes this page
make bench ARGS="--quick"                               # does it work? half a minute a system
make bench ARGS="--peers ipyparallel --only tasks,push"
make bench ARGS="--help"
```

What else the machine does shows in the figures: compare those of one run with each other, not with another machine's.
"""


def page(measured: dict[str, Measured], plan: Plan, load: float) -> str:
    """The whole page. `load` is how many other processes wanted a core when the run began."""
    measured_on = (
        f"{machine()}; {versions(plan.systems)}; {time.strftime('%-d %B %Y')}. "
        f"The load average was {load:.1f} when it began."
    )
    text = _PAGE.format(measured_on=measured_on, rounds=plan.rounds, engines=plan.engines, tables=tables(measured))
    first, rest = text.split(measured_on, 1)
    paragraph, rest = rest.split("\n\n", 1)
    return f"{first}{textwrap.fill(measured_on + paragraph.replace(chr(10), ' '), 120)}\n\n{rest}"
