"""The Redis of hints and limits: an answer within half a second, or none.

After a failure the circuit breaker skips all calls until a thread has found that Redis
answers again. So a Redis that is down delays at most one call of a process.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import TypeVar

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.threads import BackgroundThread

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 0.5
PAUSE_SECONDS = 5.0

T = TypeVar("T")


class CircuitBreaker:
    """Skips calls to Redis after a failure, until a probe succeeds.

    A thread calls `probe` every five seconds until it raises no RedisError; no caller
    waits for it. The log says once that Redis fails, with the `consequence`, and once
    that it answers again.
    """

    def __init__(self, probe: Callable[[], object], *, consequence: str) -> None:
        self._probe = probe
        self._consequence = consequence
        self._lock = threading.Lock()
        self._is_open = False
        self._prober = BackgroundThread(self._probe_until_closed, name="redis-probe")
        self.skipped_calls = 0

    def allows_call(self) -> bool:
        """Return whether Redis may be called; if not, count the call as skipped."""
        # Without the lock: usually the breaker is closed, and this must cost nothing.
        if self._is_open:
            with self._lock:
                if self._is_open:
                    self.skipped_calls += 1
                    # A forked process inherits the open state without the thread.
                    if not self._prober.is_alive():
                        self._prober.wake()
                    return False
        return True

    def open(self, error: redis.RedisError) -> None:
        """Record that a call failed; it counts as skipped, too."""
        with self._lock:
            is_new, self._is_open = not self._is_open, True
            if is_new:
                self.skipped_calls = 0
            self.skipped_calls += 1
        if is_new:
            self._prober.wake()
            logger.warning(
                "Redis does not answer (%s); %s",
                type(error).__name__,
                self._consequence,
            )

    def close(self) -> None:
        """Allow calls again."""
        with self._lock:
            was_open, self._is_open = self._is_open, False
        if self._prober.is_alive():
            self._prober.wake()
        if was_open:
            logger.warning(
                "Redis answers again; %d calls were skipped", self.skipped_calls
            )

    def _probe_until_closed(self) -> None:
        while self._must_probe():
            self._prober.wait(PAUSE_SECONDS)
            if self._must_probe():
                with suppress(redis.RedisError):
                    self._probe()
                    self.close()

    def _must_probe(self) -> bool:
        return self._is_open and not self._prober.is_stopping()


def ask_redis(ask: Callable[[redis.Redis], T], *, otherwise: T) -> T:
    """Return what `ask` returns, or `otherwise` if Redis does not answer."""
    if not breaker.allows_call():
        return otherwise
    try:
        return ask(_client(settings.REDIS_URL, os.getpid()))
    except redis.RedisError as error:
        breaker.open(error)
        return otherwise


def _ping() -> None:
    _client(settings.REDIS_URL, os.getpid()).ping()


breaker = CircuitBreaker(_ping, consequence="it is not called until it does")


@lru_cache(maxsize=2)
def _client(url: str, _process_id: int) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
