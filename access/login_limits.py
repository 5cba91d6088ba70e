"""Limits how often a password can be tried, before anything is hashed.

A failed login costs a third of a second of CPU, whatever its user name is.

Attempts are counted in sliding windows that all processes share through Redis. While
Redis does not answer, each process counts its own attempts: then as many times more
attempts are possible as there are web processes.
"""

from __future__ import annotations

import math
import secrets
import time
import unicodedata
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock

import redis
from django.utils.crypto import salted_hmac

from common.addresses import parse_address, subject_of
from common.errors import RateLimited
from common.rate_limits import NOT_LIMITED, Use, Window, count_in_windows
from common.redis import ask_redis

WINDOW_SECONDS = 300
MAX_FAILURES_OF_PAIR = 5
MAX_FAILURES_OF_ADDRESS = 50
# After so many failures each caller waits for some seconds. A name has no other limit:
# it would allow anyone to lock its user out.
FAILURES_OF_NAME_WITHOUT_DELAY = 20
MAX_DELAY_SECONDS = 5
# How long after its delay a caller may come back.
DELAY_KEPT_SECONDS = 60
# Somewhat longer than Redis keeps a window.
PAIR_KEPT_SECONDS = 2 * WINDOW_SECONDS
_MAX_WINDOWS = _MAX_DELAYS = 10_000
_MAX_TIMES_PER_WINDOW = 1_000
_UNLIMITED = 1_000_000_000


class LoginThrottled(RateLimited):
    """Too many logins failed; try again later."""

    code = "login_throttled"

    def __init__(self, wait_seconds: int) -> None:
        detail = f"Too many logins failed; try again in {wait_seconds} seconds"
        super().__init__(detail, retry_after_seconds=wait_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt to log in; it counts as failed unless it is undone."""

    windows: list[Window]

    def undo(self) -> None:
        """Remove it from the counts: it succeeded, or its password was not checked."""
        uses = dict.fromkeys(self.windows, Use.COUNT)
        if count_in_windows(uses, wanted=0, unspent=1) is NOT_LIMITED:
            process_windows.undo_count(self.windows)


def begin_attempt(*, address: str, name: str) -> Attempt:
    """Count an attempt before its password is checked; raise LoginThrottled.

    Because it is counted first, the limits also hold for simultaneous attempts.
    """
    parsed = parse_address(address)
    subject = address if parsed is None else subject_of(parsed)
    pair = _digest(subject, unicodedata.normalize("NFKC", name))
    of_name = window_of_name(name)
    attempt = Attempt(
        windows=[
            window_of_pair(pair),
            _window("address", _digest(subject), MAX_FAILURES_OF_ADDRESS),
            of_name,
        ]
    )
    result = count_in_windows(dict.fromkeys(attempt.windows, Use.COUNT))
    if result is NOT_LIMITED:
        wait = process_windows.count(attempt.windows)
    else:
        wait = 0 if result.is_allowed else result.retry_after_seconds
    if wait:
        raise LoginThrottled(wait)
    free_failures = FAILURES_OF_NAME_WITHOUT_DELAY
    look = of_name._replace(limit=free_failures + 1)
    result = count_in_windows({look: Use.LOOK})
    if result is NOT_LIMITED:
        is_delayed = process_windows.has_more_than(free_failures, of_name)
    else:
        is_delayed = not result.is_allowed
    if is_delayed and (wait := delays.wait_seconds(pair)):
        attempt.undo()
        raise LoginThrottled(wait)
    ask_redis(lambda client: _remember_pair(client, of_name, pair), otherwise=None)
    return attempt


def window_of_name(name: str) -> Window:
    """Return the window of all attempts to log in as a name, from any address."""
    digest = _digest(unicodedata.normalize("NFKC", name))
    return _window("name", digest, _UNLIMITED)


def window_of_pair(pair: str) -> Window:
    """Return the window of a name from one address; `pair` is the digest of both."""
    return _window("pair", pair, MAX_FAILURES_OF_PAIR)


def pairs_key(of_name: Window) -> str:
    """Return the key of the pairs with a name that have a window, by their time."""
    return f"tickhook:login-pairs:{of_name.subject}"


def _remember_pair(client: redis.Redis, of_name: Window, pair: str) -> None:
    key, now = pairs_key(of_name), time.time()
    with client.pipeline(transaction=False) as pipeline:
        pipeline.zadd(key, {pair: now})
        pipeline.zremrangebyscore(key, "-inf", now - PAIR_KEPT_SECONDS)
        pipeline.expire(key, PAIR_KEPT_SECONDS)
        pipeline.execute()


def _window(kind: str, subject: str, limit: int) -> Window:
    return Window(f"login-{kind}", subject, limit, WINDOW_SECONDS)


def _digest(*texts: str) -> str:
    """Return a digest for Redis, where no user name may be readable."""
    joined = "\0".join(texts)
    return salted_hmac("tickhook.logins", joined, algorithm="sha256").hexdigest()[:32]


class ProcessWindows:
    """The sliding windows of one process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._times: dict[str, deque[float]] = {}

    def count(self, windows: Iterable[Window]) -> int:
        """Count in all windows and return 0; if one is full, only return its wait."""
        now = time.monotonic()
        with self._lock:
            full = [w for w in windows if len(self._current(w, now)) >= w.limit]
            if full:
                ends = (self._current(w, now)[0] + w.seconds for w in full)
                return max(1, math.ceil(max(ends) - now))
            for window in windows:
                self._current(window, now).append(now)
        return 0

    def undo_count(self, windows: Iterable[Window]) -> None:
        with self._lock:
            for window in windows:
                if times := self._times.get(window.key):
                    times.pop()

    def has_more_than(self, count: int, window: Window) -> bool:
        with self._lock:
            return len(self._current(window, time.monotonic())) > count

    def forget(self) -> None:
        self._times.clear()

    def _current(self, window: Window, now: float) -> deque[float]:
        """Return the times within a window, after removing older ones."""
        times = self._times.get(window.key)
        if times is None:
            if len(self._times) >= _MAX_WINDOWS:
                del self._times[next(iter(self._times))]
            times = self._times[window.key] = deque(maxlen=_MAX_TIMES_PER_WINDOW)
        while times and times[0] <= now - window.seconds:
            times.popleft()
        return times


process_windows = ProcessWindows()


class Delays:
    """Delays each caller separately before an attempt to log in."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._due_at: dict[str, float] = {}

    def wait_seconds(self, caller: str) -> int:
        """Return how long the caller must still wait; 0 lets it through, once."""
        shared = ask_redis(lambda r: _shared_wait(r, caller), otherwise=None)
        return self._process_wait(caller) if shared is None else shared

    def forget(self) -> None:
        self._due_at.clear()

    def _process_wait(self, caller: str) -> int:
        now = time.monotonic()
        with self._lock:
            due_at = self._due_at.pop(caller, None)
            if due_at is not None and due_at <= now < due_at + DELAY_KEPT_SECONDS:
                return 0
            if due_at is None or due_at <= now:
                due_at = now + _random_delay()
            if len(self._due_at) >= _MAX_DELAYS:
                del self._due_at[next(iter(self._due_at))]
            self._due_at[caller] = due_at
        return max(1, math.ceil(due_at - now))


delays = Delays()


def _shared_wait(client: redis.Redis, caller: str) -> int:
    """Read the wait from the lifetime of a key: all processes share Redis's clock."""
    key = f"tickhook:login-turn:{caller}"
    left = int(client.pttl(key)) - DELAY_KEPT_SECONDS * 1000
    if left > 0:
        return math.ceil(left / 1000)
    if client.delete(key):
        return 0
    wait = _random_delay()
    client.set(key, 1, px=(wait + DELAY_KEPT_SECONDS) * 1000, nx=True)
    return wait


def _random_delay() -> int:
    return 1 + secrets.randbelow(MAX_DELAY_SECONDS)
