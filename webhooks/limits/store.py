"""Asks Redis about sliding windows: one script, one round trip, 50 ms at most.

Each thread keeps a connection of its own: the client's pool and its commands cost half
as much again as the question itself. Where Redis does not answer, nothing is limited.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError
from redis.retry import Retry

from webhooks.limits.outage import Outage
from webhooks.limits.windows import OPEN, Use, Verdict, Window

TIMEOUT_SECONDS = 0.05
_SCRIPT = Path(__file__).with_name("sliding_windows.lua").read_text()
_SCRIPT_ID = hashlib.sha1(_SCRIPT.encode()).hexdigest()  # noqa: S324 - as Redis names it

_COUNT_BYTES = 3

_own = threading.local()


class Size(NamedTuple):
    """The bytes of a request, those assumed of each further one, those returned."""

    bytes: int = 1
    further: int = 1
    unspent: int = 0


def ask(
    windows: Mapping[Window, Use],
    *,
    wanted: int = 1,
    unspent: int = 0,
    size: Size = Size(),  # noqa: B008 - immutable
    now_us: int | None = None,
) -> Verdict:
    """Count requests in all windows, or, if one of them refuses, in none.

    Of the `wanted` at least one is granted, or none. `unspent` are given back of what
    was granted before. Windows of bytes count by `size`. The time is that of Redis
    unless given, so all processes agree.
    """
    if not windows or not redis_outage.may_ask():
        return OPEN
    try:
        answer = _ask(_arguments(windows, wanted, unspent, size, now_us))
    except redis.RedisError as error:
        redis_outage.start(error)
        return OPEN
    return _read(answer, list(windows))


def _ask(arguments: list[str | int]) -> bytes:
    connection = _connection()
    try:
        return _run(connection, arguments)
    except redis.ConnectionError:
        # Redis was restarted since this thread's last question: connect anew.
        connection.disconnect()  # type: ignore[no-untyped-call]  # no stub
        return _run(connection, arguments)


def probe() -> None:
    """Ask as requests do; raise a RedisError where there is no answer."""
    window = Window("probe", "all", limit=1)
    _ask(_arguments({window: Use.COUNT}, 1, 0, Size(), None))


redis_outage = Outage(probe, redis.RedisError)


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


def _read(answer: bytes, windows: list[Window]) -> Verdict:
    granted, place, remaining, wait_us = map(int, answer.split())
    return Verdict(
        granted=granted,
        window=windows[place - 1] if place else None,
        remaining=remaining,
        wait_seconds=wait_us / 1_000_000,
    )


def _connection() -> redis.Connection:
    """Return this thread's connection; a fork has none of its parent's."""
    owner = (settings.REDIS_URL, os.getpid())
    if getattr(_own, "owner", None) != owner:
        _own.connection = _new_connection(settings.REDIS_URL)
        _own.owner = owner
    connection: redis.Connection = _own.connection
    return connection


def _new_connection(url: str) -> redis.Connection:
    """Return a connection of the kind that a URL asks for, not yet open."""
    reader = redis.ConnectionPool.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    connection: redis.Connection = reader.connection_class(**reader.connection_kwargs)
    return connection
