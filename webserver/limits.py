"""What one process accepts at once, and what each class of requests may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from common.errors import ServiceUnavailable, TickhookError

SMALL_BODY_BYTES = 64 * 1024

# What an ASGI server tells about a request before its body.
Scope = dict[str, Any]


class RequestTooSlow(TickhookError):
    """The body did not arrive in time."""

    code = "request_too_slow"
    http_status = 408

    def __init__(self, *, seconds: float) -> None:
        super().__init__(f"The body must arrive within {seconds:g} seconds")


class ServerBusy(ServiceUnavailable):
    """The server is receiving too many requests at once; try again later."""

    code = "busy"


class BodyIncomplete(TickhookError):
    """The body ended before it was complete, or its chunks are not framed correctly."""

    code = "body_incomplete"
    http_status = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one process accepts at once.

    The number of requests bounds the first 64 KiB of each body, `large_bytes` bounds
    the rest: large bodies cannot use the memory of small ones.
    """

    body_seconds: float
    max_requests: int = 1000
    large_bytes: int = 192 * 1024 * 1024
    # A client that ignores Retry-After is slowed down: a 429 is sent this much later,
    # for at most so many requests at once. No thread waits with it.
    throttle_delay_seconds: float = 1.0
    max_delayed: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestClass:
    """The requests whose path begins with `prefix`, and what they may use."""

    prefix: str
    is_whole_path: bool = False
    max_body_bytes: int
    # Make the error for a body of more than `max_body_bytes`, which is the argument.
    too_large: Callable[[int], TickhookError]
    # Return further members of an error document; the argument is its `detail`.
    error_members: Callable[[str], Mapping[str, object]] = lambda _: {}
    # How long an answer may take (None: no limit), and how much longer if the request
    # has a Prefer header (RFC 7240). While the database hangs, so do the threads; the
    # client gets a 503 instead of waiting with them.
    answer_seconds: float | None = None
    prefer_seconds: float = 0
    # The fraction of all threads that the class may use, and how many of its requests
    # may wait for one. With `own_threads` it has threads that serve nothing else.
    thread_share: float = 1.0
    max_waiting: int = 100
    own_threads: int = 0
    # Small POSTs are answered together, unless they have one of these headers.
    # None: each request is answered alone.
    alone_with: frozenset[bytes] | None = None
    # Whether a 429 is delayed.
    delays_throttled: bool = False

    def matches(self, path: str) -> bool:
        if self.is_whole_path:
            return path == self.prefix
        return path.startswith(self.prefix)

    def is_batched(self, scope: Scope, body: bytes) -> bool:
        """Return whether a request may be answered together with others."""
        alone_with = self.alone_with
        return (
            alone_with is not None
            and scope["method"] == "POST"
            and len(body) <= SMALL_BODY_BYTES
            and not any(name in alone_with for name, _ in scope["headers"])
        )

    def seconds_to_answer(self, headers: list[tuple[bytes, bytes]]) -> float | None:
        """Return how long the answer to a request may take; None for no limit."""
        if self.answer_seconds is None or not self.prefer_seconds:
            return self.answer_seconds
        prefers = any(name == b"prefer" for name, _ in headers)
        return self.answer_seconds + (self.prefer_seconds if prefers else 0)


class Capacity:
    """Counts the requests of one process and their bytes. Used by one thread only."""

    def __init__(self, *, max_requests: int, large_bytes: int) -> None:
        self._max_requests = max_requests
        self._max_large_bytes = large_bytes
        self.requests = 0
        self.large_bytes = 0

    def slot(self) -> Slot:
        """Return a slot to hold while a request is read and answered."""
        return Slot(self)

    def add_request(self) -> None:
        if self.requests >= self._max_requests:
            raise ServerBusy
        self.requests += 1

    def remove_request(self, large_bytes: int) -> None:
        self.requests -= 1
        self.large_bytes -= large_bytes

    def add_large_bytes(self, count: int) -> None:
        if self.large_bytes + count > self._max_large_bytes:
            raise ServerBusy
        self.large_bytes += count


class Slot:
    """What one request uses of the capacity; entering and `grow` raise ServerBusy."""

    __slots__ = ("_capacity", "_large_bytes")

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._large_bytes = 0

    def __enter__(self) -> Slot:
        self._capacity.add_request()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._capacity.remove_request(self._large_bytes)

    def grow(self, size: int) -> None:
        """Count a body of this size.

        Only bytes that have arrived count: a client that announces a large body takes
        no capacity from others.
        """
        more = size - SMALL_BODY_BYTES - self._large_bytes
        if more > 0:
            self._capacity.add_large_bytes(more)
            self._large_bytes += more
