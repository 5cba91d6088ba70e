"""The same act in several threads at one moment, each with a connection of its own.

A race is repeated over many rounds, so the threads and their connections are kept until
`end_racers` is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connections

T = TypeVar("T")

THREADS = 8
ROUNDS = 20
_pools: dict[int, ThreadPoolExecutor] = {}


def race(act: Callable[[], T], *, threads: int = THREADS) -> list[T]:
    """Return what each thread's `act` returned; raise what one of them raised."""
    return race_all([act] * threads)


def race_all(acts: Sequence[Callable[[], T]]) -> list[T]:
    """Start all `acts` at once, each in a thread; return their results in order."""
    size = len(acts)
    # With as many threads as acts, the barrier makes each thread take one of them.
    if size not in _pools:
        _pools[size] = ThreadPoolExecutor(size)
    barrier = Barrier(size, timeout=30)

    def start(act: Callable[[], T]) -> T:
        barrier.wait()
        try:
            return act()
        except BaseException:
            connections.close_all()
            raise

    return list(_pools[size].map(start, acts))


def end_racers() -> None:
    """Close the connections of all threads and end the threads."""
    for size in list(_pools):
        race_all([connections.close_all] * size)
        _pools.pop(size).shutdown()
