"""Counts attempts in the sliding windows that all processes share.

While Redis does not answer, each process counts for itself: then as many times more
attempts are possible as there are web processes.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable
from threading import Lock

from webhooks.limits.store import count_in_windows
from webhooks.limits.windows import NOT_LIMITED, Use, Window

MOST_REMEMBERED = 10_000
MOST_OF_WINDOW = 1_000


class OwnWindows:
    """The windows of one process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._times: dict[str, deque[float]] = {}

    def count(self, windows: Iterable[Window]) -> int:
        """Count in all windows, or, if one is full, in none: return its wait."""
        now = time.monotonic()
        with self._lock:
            full = [w for w in windows if len(self._live(w, now)) >= w.limit]
            if full:
                ends = (self._live(w, now)[0] + w.seconds for w in full)
                return max(1, math.ceil(max(ends) - now))
            for window in windows:
                self._live(window, now).append(now)
        return 0

    def take_back(self, windows: Iterable[Window]) -> None:
        with self._lock:
            for window in windows:
                if times := self._times.get(window.key):
                    times.pop()

    def has_more_than(self, count: int, window: Window) -> bool:
        with self._lock:
            return len(self._live(window, time.monotonic())) > count

    def forget(self) -> None:
        self._times.clear()

    def _live(self, window: Window, now: float) -> deque[float]:
        times = self._times.get(window.key)
        if times is None:
            if len(self._times) >= MOST_REMEMBERED:
                del self._times[next(iter(self._times))]
            times = self._times[window.key] = deque(maxlen=MOST_OF_WINDOW)
        while times and times[0] <= now - window.seconds:
            times.popleft()
        return times


own_windows = OwnWindows()


def count(windows: list[Window]) -> int:
    """Count in all windows, or, if one is full, in none: return the seconds to wait."""
    result = count_in_windows(dict.fromkeys(windows, Use.COUNT))
    if result is NOT_LIMITED:
        return own_windows.count(windows)
    return 0 if result.is_allowed else result.retry_after_seconds


def take_back(windows: list[Window]) -> None:
    """Undo one count."""
    uses = dict.fromkeys(windows, Use.COUNT)
    if count_in_windows(uses, wanted=0, unspent=1) is NOT_LIMITED:
        own_windows.take_back(windows)


def has_more_than(count: int, window: Window) -> bool:
    """Return whether a window holds more than so many, whatever its limit is."""
    result = count_in_windows({window._replace(limit=count + 1): Use.LOOK})
    if result is NOT_LIMITED:
        return own_windows.has_more_than(count, window)
    return not result.is_allowed
