"""Asks less often about a busy sender: a few requests are granted in advance.

Redis grants more than one only where a hundred times as many are left, so near a limit
each request is asked about. What is granted is counted at once, so never more pass than
the limit. What was not used in time is given back with the next question.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from webhooks.limits.store import Size, count_in_windows
from webhooks.limits.windows import NOT_LIMITED, LimitResult, Use, Window

LIFETIME_SECONDS = 0.05
MOST_GRANTED = 64
MOST_LEASES = 10_000


@dataclass(slots=True)
class Lease:
    """What this process may still let in of one kind, until when."""

    result: LimitResult = NOT_LIMITED
    left: int = 0
    until: float = 0.0
    wanted: int = 1
    bytes_left: int = 0
    largest: int = 1

    def spend(self, now: float, size: int = 0) -> LimitResult | None:
        """Let one in of what was granted; None if there is not enough left."""
        if not self.left or now >= self.until or size > self.bytes_left:
            return None
        self.left -= 1
        self.bytes_left -= size
        return self.result._replace(remaining=self.result.remaining + self.left)

    def renew(self, now: float, size: int = 0) -> tuple[int, int, Size]:
        """Return how many to ask for, how many were not used, and of what size.

        Twice as many as last time if those were used up in time, half if not.
        """
        unspent, self.left = self.left, 0
        if unspent or now >= self.until:
            self.wanted = max(1, self.wanted // 2)
        else:
            self.wanted = min(MOST_GRANTED, self.wanted * 2)
        # Further requests are assumed to be as large as the largest of late.
        self.largest = max(1, size, self.largest // 2)
        unspent_bytes, self.bytes_left = self.bytes_left, 0
        return self.wanted, unspent, Size(max(1, size), self.largest, unspent_bytes)

    def extend(self, result: LimitResult, now: float, further: int = 0) -> None:
        """Add what was granted beyond the one request that asked."""
        if result.is_allowed:
            self.result = result
            self.left += result.granted - 1
            self.bytes_left += (result.granted - 1) * further
            self.until = now + LIFETIME_SECONDS


class Leases:
    """The leases of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leases: dict[tuple[tuple[Window, Use], ...], Lease] = {}

    def ask(self, windows: Mapping[Window, Use], *, size: int = 0) -> LimitResult:
        """Count a request in all windows, or, if one of them refuses, in none.

        Its size counts where a window counts bytes; else it should be 0.
        """
        kind = tuple(windows.items())
        with self._lock:
            lease = self._leases.get(kind) or self._new(kind)
            now = time.monotonic()
            if result := lease.spend(now, size):
                return result
            wanted, unspent, sizes = lease.renew(now, size)
        result = count_in_windows(windows, wanted=wanted, unspent=unspent, size=sizes)
        with self._lock:
            lease.extend(result, time.monotonic(), sizes.further)
        others = max(0, result.granted - 1)
        return result._replace(remaining=result.remaining + others)

    def forget(self) -> None:
        self._leases.clear()

    def _new(self, kind: tuple[tuple[Window, Use], ...]) -> Lease:
        if len(self._leases) >= MOST_LEASES:
            self._leases.clear()
        return self._leases.setdefault(kind, Lease())
