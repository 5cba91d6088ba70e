from __future__ import annotations

import math
import secrets
import time
from threading import Lock

import redis

from common.redis import ask_redis

LONGEST_WAIT_SECONDS = 5
# For so long a caller that has waited may come back.
KEPT_SECONDS = 60
MOST_REMEMBERED = 10_000


class Turns:
    """Lets a caller through once it has waited for as long as it was asked to.

    Each caller waits for itself: no number of others can take its turn.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._own: dict[str, float] = {}

    def wait_seconds(self, caller: str) -> int:
        """Return how long the caller must still wait; 0 lets it through, once."""
        shared = ask_redis(lambda r: _shared_wait(r, caller), otherwise=None)
        return self._own_wait(caller) if shared is None else shared

    def forget(self) -> None:
        self._own.clear()

    def _own_wait(self, caller: str) -> int:
        now = time.monotonic()
        with self._lock:
            due = self._own.pop(caller, None)
            if due is not None and due <= now < due + KEPT_SECONDS:
                return 0
            if due is None or due <= now:
                due = now + _new_wait()
            if len(self._own) >= MOST_REMEMBERED:
                del self._own[next(iter(self._own))]
            self._own[caller] = due
        return max(1, math.ceil(due - now))


def _shared_wait(client: redis.Redis, caller: str) -> int:
    """Read the wait from the lifetime of a key: all processes have Redis's clock."""
    key = f"tickhook:login-turn:{caller}"
    left = int(client.pttl(key)) - KEPT_SECONDS * 1000
    if left > 0:
        return math.ceil(left / 1000)
    if client.delete(key):
        return 0
    wait = _new_wait()
    client.set(key, 1, px=(wait + KEPT_SECONDS) * 1000, nx=True)
    return wait


def _new_wait() -> int:
    return 1 + secrets.randbelow(LONGEST_WAIT_SECONDS)
