"""Counts in sliding windows in Redis: one script, one round trip, 50 ms at most.

`rate_limits.lua` is the script. Each thread has its own connection: the pool and the
commands of the client library would cost half as much as the round trip itself. While
Redis does not answer, nothing is limited.
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
import time
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError
from redis.retry import Retry

from common.redis import CircuitBreaker

TIMEOUT_SECONDS = 0.05
MAX_FULL_WINDOWS = 10_000
_SCRIPT = Path(__file__).with_suffix(".lua").read_text()
_SCRIPT_ID = hashlib.sha1(_SCRIPT.encode()).hexdigest()  # noqa: S324 - its name in Redis
# What the script does with a window of bytes; see Use for the other numbers.
_COUNT_BYTES = 3

_thread = threading.local()


class Use(IntEnum):
    """What a request does with a window. The Lua script knows the numbers."""

    LOOK = 0
    COUNT = 1
    COUNT_AND_REPORT = 2


class Window(NamedTuple):
    """At most `limit` requests, or bytes, of one subject in any `seconds`.

    Answers to senders show the `name`.
    """

    name: str
    subject: str
    limit: int
    seconds: int = 60
    counts_bytes: bool = False

    @property
    def key(self) -> str:
        return f"tickhook:limit:{self.name}:{self.subject}"

    @property
    def policy(self) -> str:
        unit = ';qu="content-bytes"' if self.counts_bytes else ""
        return f'"{self.name}";q={self.limit}{unit};w={self.seconds}'


class LimitResult(NamedTuple):
    """Whether a request is within its limits, and the window that says most about it.

    `window` is the one that refuses the request, or the one with the least left of
    those to report; None if there is none to report. `granted` is the number of
    requests that the result stands for.
    """

    granted: int
    window: Window | None
    remaining: int = 0
    wait_seconds: float = 0.0

    @property
    def is_allowed(self) -> bool:
        return self.granted > 0

    @property
    def retry_after_seconds(self) -> int:
        return max(1, math.ceil(self.wait_seconds))

    @property
    def headers(self) -> dict[str, str]:
        """The fields of draft-ietf-httpapi-ratelimit-headers.

        What a request used is available again once the whole window has passed.
        """
        if self.window is None:
            return {}
        reset = self.window.seconds if self.is_allowed else self.retry_after_seconds
        return {
            "RateLimit-Policy": self.window.policy,
            "RateLimit": f'"{self.window.name}";r={self.remaining};t={reset}',
        }


NOT_LIMITED = LimitResult(granted=1, window=None)


class Size(NamedTuple):
    """The bytes of a request, those assumed for each further one, those returned."""

    bytes: int = 1
    further: int = 1
    unspent: int = 0


def count_in_windows(
    windows: Mapping[Window, Use],
    *,
    wanted: int = 1,
    unspent: int = 0,
    size: Size = Size(),  # noqa: B008 - immutable
    now_us: int | None = None,
) -> LimitResult:
    """Count requests in all windows, or, if one of them refuses, in none.

    Of the `wanted` at least one is granted, or none. `unspent` are returned of those
    granted before. Windows of bytes count `size`. The time is that of Redis unless
    given, so that all processes agree.
    """
    if not windows or not breaker.allows_call():
        return NOT_LIMITED
    try:
        answer = _call(_arguments(windows, wanted, unspent, size, now_us))
    except redis.RedisError as error:
        breaker.open(error)
        return NOT_LIMITED
    granted, position, remaining, wait_us = map(int, answer.split())
    return LimitResult(
        granted=granted,
        window=list(windows)[position - 1] if position else None,
        remaining=remaining,
        wait_seconds=wait_us / 1_000_000,
    )


def _call(arguments: list[str | int]) -> bytes:
    connection = _connection()
    try:
        return _run(connection, arguments)
    except redis.ConnectionError:
        # Redis was restarted since this thread's last call: connect again.
        connection.disconnect()  # type: ignore[no-untyped-call]  # no stub
        return _run(connection, arguments)


def probe() -> None:
    """Call the script as requests do; raise a RedisError if it does not answer."""
    window = Window("probe", "all", limit=1)
    _call(_arguments({window: Use.COUNT}, 1, 0, Size(), None))


breaker = CircuitBreaker(
    probe,
    consequence=(
        "webhooks are accepted without limits, and each process counts logins by itself"
    ),
)


def _arguments(
    windows: Mapping[Window, Use],
    wanted: int,
    unspent: int,
    size: Size,
    now_us: int | None,
) -> list[str | int]:
    arguments: list[str | int] = [len(windows)]
    arguments += [window.key for window in windows]
    arguments += ("" if now_us is None else now_us, wanted, unspent, *size)
    for window, use in windows.items():
        code = _COUNT_BYTES if window.counts_bytes else int(use)
        arguments += (window.limit, window.seconds, code)
    return arguments


def _run(connection: redis.Connection, arguments: list[str | int]) -> bytes:
    try:
        return _exchange(connection, "EVALSHA", _SCRIPT_ID, *arguments)
    except NoScriptError:
        return _exchange(connection, "EVAL", _SCRIPT, *arguments)


def _exchange(connection: redis.Connection, *command: str | int) -> bytes:
    connection.send_command(*command)  # type: ignore[no-untyped-call]  # no stub
    answer: bytes = connection.read_response()
    return answer


def _connection() -> redis.Connection:
    """Return this thread's connection; a forked process does not use its parent's."""
    owner = (settings.REDIS_URL, os.getpid())
    if getattr(_thread, "owner", None) != owner:
        _thread.connection = _new_connection(settings.REDIS_URL)
        _thread.owner = owner
    connection: redis.Connection = _thread.connection
    return connection


def _new_connection(url: str) -> redis.Connection:
    """Return a connection for a URL (TCP, TLS or Unix socket), not yet open."""
    pool = redis.ConnectionPool.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    connection: redis.Connection = pool.connection_class(**pool.connection_kwargs)
    return connection


class FullWindows:
    """The windows that this process knows to be full, and until when.

    A full window counts no requests, so it stays full until then: this memory is as
    exact as asking Redis. If an entry is missing, Redis is asked again.
    """

    def __init__(self) -> None:
        self._full_until: dict[Window, float] = {}

    @property
    def is_empty(self) -> bool:
        return not self._full_until

    def add(self, result: LimitResult) -> None:
        """Remember the window that refused a request, if one did."""
        if result.window is not None and not result.is_allowed:
            if len(self._full_until) >= MAX_FULL_WINDOWS:
                self._full_until.clear()
            end = time.monotonic() + result.wait_seconds
            self._full_until[result.window] = end

    def find(self, window: Window) -> LimitResult | None:
        """Return the refusal by a full window; None if the window may have capacity."""
        end = self._full_until.get(window)
        if end is None:
            return None
        left = end - time.monotonic()
        if left <= 0:
            self._full_until.pop(window, None)
            return None
        return LimitResult(granted=0, window=window, wait_seconds=left)

    def clear(self) -> None:
        self._full_until.clear()
