from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from senders.sandbox.errors import SandboxUnavailable


class Slots:
    """A fixed number of slots, handed out in the order in which callers ask.

    A semaphore of the standard library does not keep that order: a thread that releases
    a slot and asks again takes it before the thread that waits wakes up, so a busy
    caller starves one that waits.
    """

    def __init__(self, count: int) -> None:
        self._lock = threading.Lock()
        self._free = count
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def hold(self, *, wait_seconds: float) -> Iterator[None]:
        """Hold a slot; raise SandboxUnavailable if none was free in time."""
        if not self._acquire(wait_seconds):
            raise SandboxUnavailable
        try:
            yield
        finally:
            self._release()

    def count_waiting(self) -> int:
        with self._lock:
            return len(self._waiting)

    def _acquire(self, wait_seconds: float) -> bool:
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        try:
            turn.wait(wait_seconds)
        except BaseException:
            # Celery raises a soft time limit wherever the thread happens to be.
            if not self._withdraw(turn):
                self._release()
            raise
        return not self._withdraw(turn)

    def _withdraw(self, turn: threading.Event) -> bool:
        """Return False if the slot was handed over in the meantime."""
        with self._lock:
            if turn.is_set():
                return False
            self._waiting.remove(turn)
            return True

    def _release(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1
