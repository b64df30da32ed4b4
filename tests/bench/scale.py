"""How much of each workload there is."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Scale:
    """Repetitions and sizes.

    Args:
        warm_up: Calls that are not counted, before those that are.
        calls: Blocking calls of one engine; fewer, but a fifth at least, once they have taken `patience`.
        broadcasts: The same, of all engines.
        patience: Seconds.
        tasks: Balanced tasks, and independent asynchronous ones.
        kib_tasks: Balanced tasks of 1 KiB both ways.
        moves: How often large bytes are moved, each way.
        array: Bytes of what is moved to and from one engine, or in parts.
        array_to_all: Bytes of what each engine gets.
        own_calls: Blocking calls of Paraply, alone and beside another client.
        short_queue: Tasks that wait, and how often they are queued to see what each costs.
        long_queue: The same.
    """

    warm_up: int = 50
    calls: int = 1000
    broadcasts: int = 300
    patience: float = 4.0
    tasks: int = 5000
    kib_tasks: int = 2000
    moves: int = 5
    array: int = 64 * MIB
    array_to_all: int = 16 * MIB
    own_calls: int = 5000
    short_queue: tuple[int, int] = (1_000, 40)
    long_queue: tuple[int, int] = (200_000, 1)


FULL = Scale()
#: Enough to see that everything works; its figures say little.
QUICK = Scale(
    warm_up=5,
    calls=50,
    broadcasts=20,
    patience=1.0,
    tasks=200,
    kib_tasks=100,
    moves=2,
    array=4 * MIB,
    array_to_all=MIB,
    own_calls=200,
    short_queue=(1_000, 2),
    long_queue=(10_000, 1),
)
