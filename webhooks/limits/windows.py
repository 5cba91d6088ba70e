from __future__ import annotations

import math
from enum import IntEnum
from typing import NamedTuple


class Use(IntEnum):
    """What a question does with a window."""

    LOOK = 0
    COUNT = 1
    COUNT_AND_TELL = 2


class Window(NamedTuple):
    """At most `limit` requests, or bytes, of one subject in any `seconds`.

    `name` is what senders are told.
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


class Verdict(NamedTuple):
    """Whether a request is let in, by the window that says most about the next one.

    `window` is the one that refuses, or the tightest of those that may be told; None
    if there is nothing to tell. `granted` is how many requests it stands for.
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

        What was let in is given back once the whole window has passed.
        """
        if self.window is None:
            return {}
        reset = self.window.seconds if self.is_allowed else self.retry_after_seconds
        return {
            "RateLimit-Policy": self.window.policy,
            "RateLimit": f'"{self.window.name}";r={self.remaining};t={reset}',
        }


OPEN = Verdict(granted=1, window=None)
