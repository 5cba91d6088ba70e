"""The Redis of hints and limits: fast or not at all.

Every call gives up after half a second, and after a failure Redis isn't asked for 5 s,
so a broker that is down never holds up what matters. No request waits here: those who
nudge have a thread of their own.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 0.5
PAUSE_SECONDS = 5.0

T = TypeVar("T")
_closed_until = 0.0


@lru_cache(maxsize=2)
def _client(url: str, _process_id: int) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def ask_redis(ask: Callable[[redis.Redis], T], *, otherwise: T) -> T:
    """Return what Redis answers, or `otherwise` where it doesn't."""
    global _closed_until
    if time.monotonic() < _closed_until:
        return otherwise
    try:
        return ask(_client(settings.REDIS_URL, os.getpid()))
    except redis.RedisError as error:
        _closed_until = time.monotonic() + PAUSE_SECONDS
        logger.warning(
            "Redis does not answer (%s); not asked for %d s",
            type(error).__name__,
            PAUSE_SECONDS,
        )
        return otherwise
