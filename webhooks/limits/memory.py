from __future__ import annotations

import time

from webhooks.limits.windows import Verdict, Window

MOST = 10_000


class Memory:
    """Which windows are full, and until when: what is known is not asked again.

    Nothing is counted in a full window, so until then it stays full: what is remembered
    is as good as an answer. What is forgotten is asked anew.
    """

    def __init__(self) -> None:
        self._full_until: dict[Window, float] = {}

    @property
    def knows_any(self) -> bool:
        return bool(self._full_until)

    def remember(self, verdict: Verdict) -> None:
        if verdict.window is not None and not verdict.is_allowed:
            if len(self._full_until) >= MOST:
                self._full_until.clear()
            end = time.monotonic() + verdict.wait_seconds
            self._full_until[verdict.window] = end

    def refusal(self, window: Window) -> Verdict | None:
        """Return how a window is known to refuse; None if it may let in."""
        end = self._full_until.get(window)
        if end is None:
            return None
        left = end - time.monotonic()
        if left <= 0:
            self._full_until.pop(window, None)
            return None
        return Verdict(granted=0, window=window, wait_seconds=left)

    def forget(self) -> None:
        self._full_until.clear()
