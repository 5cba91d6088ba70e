from __future__ import annotations

import math
import time
from enum import IntEnum
from typing import NamedTuple

MAX_FULL_WINDOWS = 10_000


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
