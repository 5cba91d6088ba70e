from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from common.api.defaults import RequestTooLarge
from common.errors import ServiceUnavailable, TickhookError
from webhooks.receiver.request import BodyTooLarge
from webhooks.types.validation import MAX_WAIT_SECONDS

DOOR = "/webhooks/"
PROBES = ("/livez", "/readyz")
# The most that a webhook type may allow; each endpoint's own limit is the door's.
MAX_DELIVERY_BYTES = 25 * 1024 * 1024
SMALL_BODY_BYTES = 64 * 1024


class RequestTooSlow(TickhookError):
    """The body did not arrive in time."""

    code = "request_too_slow"
    http_status = 408

    def __init__(self, *, seconds: float) -> None:
        super().__init__(f"The body must arrive within {seconds:g} seconds")


class ServerBusy(ServiceUnavailable):
    """Too much is being received at once; try again later."""

    code = "busy"


class BodyIncomplete(TickhookError):
    """The body ended before it was whole, or its chunks are not framed correctly."""

    code = "body_incomplete"
    http_status = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one process takes.

    The first 64 KiB of each body are bounded by the number of requests, what is beyond
    by `large_bytes`: large bodies can't take the place of small ones.
    """

    body_seconds: float
    max_api_bytes: int
    max_requests: int = 1000
    large_bytes: int = 192 * 1024 * 1024
    # Requests other than webhooks that may wait for a thread.
    waiting_pages: int = 100
    # How long a 429 for such a request is held back, and how many at once. A client
    # that does not heed Retry-After is slowed down; no thread waits with it.
    held_back_seconds: float = 1.0
    held_back: int = 100
    # Senders give up after 10 seconds or so, and should hear before that to come again.
    delivery_seconds: float = 8.0

    def body_bytes(self, path: str) -> int:
        return MAX_DELIVERY_BYTES if path.startswith(DOOR) else self.max_api_bytes

    def answer_seconds(self, scope: dict[str, Any]) -> float | None:
        """Return how long an answer may take; None for as long as it takes.

        Where the database hangs, the threads hang with it: a sender is not kept.
        """
        if scope["path"] in PROBES:
            return self.delivery_seconds
        if not scope["path"].startswith(DOOR):
            return None
        prefers = any(name == b"prefer" for name, _ in scope["headers"])
        return self.delivery_seconds + (MAX_WAIT_SECONDS if prefers else 0)

    def too_large(self, path: str) -> TickhookError:
        limit = self.body_bytes(path)
        if path.startswith(DOOR):
            return BodyTooLarge(limit=limit)
        return RequestTooLarge(f"At most {limit:,} bytes are taken here")
