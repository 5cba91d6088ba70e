"""Counts a few requests of a busy sender in advance, to call Redis less often.

Redis grants more than one request only if a hundred times as many are left, so near a
limit each request is counted by itself. Granted requests are counted at once: never
more requests than the limit are accepted. Those that were not used in time are returned
with the next call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from common.rate_limits import (
    NOT_LIMITED,
    LimitResult,
    Size,
    Use,
    Window,
    count_in_windows,
)

LIFETIME_SECONDS = 0.05
MAX_GRANTED = 64
MAX_GRANTS = 10_000


@dataclass(slots=True)
class Grant:
    """How many requests with the same windows this process may still accept."""

    result: LimitResult = NOT_LIMITED
    left: int = 0
    until: float = 0.0
    wanted: int = 1
    bytes_left: int = 0
    largest: int = 1

    def use(self, now: float, size: int = 0) -> LimitResult | None:
        """Use the grant for one request; return None if not enough is left."""
        if not self.left or now >= self.until or size > self.bytes_left:
            return None
        self.left -= 1
        self.bytes_left -= size
        return self.result._replace(remaining=self.result.remaining + self.left)

    def prepare_call(self, now: float, size: int = 0) -> tuple[int, int, Size]:
        """Return how many requests to count, how many to return, and their sizes.

        Twice as many are counted as last time if those were used in time, half if not.
        """
        unspent, self.left = self.left, 0
        if unspent or now >= self.until:
            self.wanted = max(1, self.wanted // 2)
        else:
            self.wanted = min(MAX_GRANTED, self.wanted * 2)
        # Further requests are assumed to be as large as the largest recent one.
        self.largest = max(1, size, self.largest // 2)
        unspent_bytes, self.bytes_left = self.bytes_left, 0
        return self.wanted, unspent, Size(max(1, size), self.largest, unspent_bytes)

    def extend(self, result: LimitResult, now: float, further: int = 0) -> None:
        """Add the requests that were granted in addition to the one that called."""
        if result.is_allowed:
            self.result = result
            self.left += result.granted - 1
            self.bytes_left += (result.granted - 1) * further
            self.until = now + LIFETIME_SECONDS


class Grants:
    """The grants of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._grants: dict[tuple[tuple[Window, Use], ...], Grant] = {}

    def count(self, windows: Mapping[Window, Use], *, size: int = 0) -> LimitResult:
        """Count a request in all windows, or, if one of them refuses it, in none.

        Pass the size only if a window counts bytes; otherwise it should be 0.
        """
        key = tuple(windows.items())
        with self._lock:
            grant = self._grants.get(key)
            if grant is None:
                if len(self._grants) >= MAX_GRANTS:
                    self._grants.clear()
                grant = self._grants.setdefault(key, Grant())
            now = time.monotonic()
            if result := grant.use(now, size):
                return result
            wanted, unspent, sizes = grant.prepare_call(now, size)
        result = count_in_windows(windows, wanted=wanted, unspent=unspent, size=sizes)
        with self._lock:
            grant.extend(result, time.monotonic(), sizes.further)
        others = max(0, result.granted - 1)
        return result._replace(remaining=result.remaining + others)

    def clear(self) -> None:
        self._grants.clear()
