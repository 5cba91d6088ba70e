"""The same act in several threads at one moment, each on its own connection."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connections

T = TypeVar("T")

THREADS = 8
ROUNDS = 20


def race(act: Callable[[], T], *, threads: int = THREADS) -> list[T]:
    """Return what each thread's `act` returned; raises what one of them raised."""
    return race_all([act] * threads)


def race_all(acts: list[Callable[[], T]]) -> list[T]:
    """Start all `acts` at once, a thread each, and return their answers in order."""
    barrier = Barrier(len(acts), timeout=30)

    def start(act: Callable[[], T]) -> T:
        try:
            barrier.wait()
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(start, acts))
