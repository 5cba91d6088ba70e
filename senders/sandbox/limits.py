"""How much code may use, and how many pieces of code run at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from senders.errors import SandboxUnavailable

MAX_CODE_BYTES = 64 * 1024
MAX_INPUT_BYTES = 1_000_000
MAX_RESULT_BYTES = 64 * 1024
MAX_RESULT_DEPTH = 20
MAX_MEMORY_BYTES = 32 * 1024 * 1024
MAX_RECURSION = 100
MAX_HOST_CALLS = 100
MAX_OUTPUT_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """How long code may run, and how long its caller waits for an interpreter."""

    run_seconds: float
    wait_seconds: float


PARSER = TimeLimits(run_seconds=0.5, wait_seconds=5.0)
# Short, because the sender waits for the answer.
VALIDATOR = TimeLimits(run_seconds=0.05, wait_seconds=0.05)

# Ample for code that is fast; callers of slow code do not wait at all.
MAX_WAIT_SECONDS = 1.0


class Slots:
    """A fixed number of slots, assigned in the order in which callers ask.

    A semaphore of the standard library does not keep that order: a thread that releases
    a slot and asks again gets it before the waiting thread wakes up, so a busy caller
    starves a waiting one.
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
            # Celery raises a soft time limit at any point of the thread.
            if not self._withdraw(turn):
                self._release()
            raise
        return not self._withdraw(turn)

    def _withdraw(self, turn: threading.Event) -> bool:
        """Stop waiting; return False if the slot was assigned in the meantime."""
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


_changed = threading.Condition()
_running: set[object] = set()
_slow: set[object] = set()


@contextmanager
def exclusive_run(key: object | None) -> Iterator[None]:
    """Run the block while no other thread of this process runs one with the same key.

    Wait up to a second for another thread, then raise SandboxUnavailable. If the last
    block with this key was slow, raise it at once: otherwise one endpoint with slow
    code could occupy every thread of the process. With the key None, blocks run in
    parallel.
    """
    if key is None:
        yield
        return
    _enter(key)
    started = time.monotonic()
    try:
        yield
    finally:
        _leave(key, is_slow=time.monotonic() - started >= VALIDATOR.run_seconds)


def _enter(key: object) -> None:
    with _changed:
        _changed.wait_for(lambda: key not in _running or key in _slow, MAX_WAIT_SECONDS)
        if key in _running:
            raise SandboxUnavailable(
                "The code of this webhook is already running; try again"
            )
        _running.add(key)


def _leave(key: object, *, is_slow: bool) -> None:
    with _changed:
        _running.discard(key)
        if is_slow:
            _slow.add(key)
        else:
            _slow.discard(key)
        _changed.notify_all()
