"""How many requests and bytes the receiver accepts: per address, endpoint, and in all.

A request is counted by at most one call to Redis, after its signature was verified:
forged requests use nothing of the limits of their victim. If this process knows that an
address is over its limit, it refuses the request without that call and without
verifying a signature.

A few requests of a busy sender are counted in advance, to call Redis less often: this
accepts 17 % more requests per second. Redis grants more than one request only if a
hundred times as many are left, so near a limit each request is counted by itself.
Granted requests are counted at once: never more requests than the limit are accepted.
Those that were not used in time are returned with the next call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings

from common.addresses import Address, subject_of
from common.errors import RateLimited
from common.rate_limits import (
    NOT_LIMITED,
    FullWindows,
    LimitResult,
    Size,
    Use,
    Window,
    count_in_windows,
)
from webhooks.models import WebhookEndpoint

LIFETIME_SECONDS = 0.05
MAX_GRANTED = 64
MAX_GRANTS = 10_000


class TooManyRequests(RateLimited):
    """Too many requests; try again later."""

    def __init__(self, result: LimitResult) -> None:
        super().__init__(retry_after_seconds=result.retry_after_seconds)
        self.headers = result.headers


class AddressRateLimited(TooManyRequests):
    """Too many requests from this address; try again later."""

    code = "address_rate_limited"


class ForgeryRateLimited(TooManyRequests):
    """Too many requests from this address could not be verified; try again later."""

    code = "forgery_rate_limited"


class EndpointRateLimited(TooManyRequests):
    """This webhook receives too many requests; try again later."""

    code = "endpoint_rate_limited"


class EndpointBytesLimited(TooManyRequests):
    """This webhook receives too many bytes; try again later."""

    code = "endpoint_bytes_limited"


class GlobalRateLimited(TooManyRequests):
    """The service receives too many webhooks; try again later."""

    code = "global_rate_limited"


_REFUSALS: dict[str, type[TooManyRequests]] = {
    "address": AddressRateLimited,
    "forgery": ForgeryRateLimited,
    "endpoint": EndpointRateLimited,
    "endpoint-hour": EndpointRateLimited,
    "endpoint-bytes": EndpointBytesLimited,
    "global": GlobalRateLimited,
}


def refuse_if_over(address: Address | None) -> None:
    """Raise TooManyRequests if this process knows that an address is over a limit."""
    if not full_windows.is_empty:
        _refuse_if_full(_address_uses(address))


def count_forgery(address: Address | None) -> None:
    """Count a request to no endpoint or with a wrong signature.

    Raise TooManyRequests.
    """
    _count(dict.fromkeys(_address_uses(address), Use.COUNT))


def count_delivery(
    address: Address | None, endpoint: WebhookEndpoint, *, size: int
) -> LimitResult:
    """Count a request of the endpoint's sender and its bytes; raise TooManyRequests.

    Return the limit of which the least is left, of those that answers report.
    """
    uses = _address_uses(address) | _endpoint_uses(endpoint)
    if limit := settings.TICKHOOK_GLOBAL_LIMIT:
        uses[Window("global", "", limit)] = Use.COUNT
    return _count(uses, size=size if settings.TICKHOOK_ENDPOINT_BYTES_PER_HOUR else 0)


def _count(uses: dict[Window, Use], *, size: int = 0) -> LimitResult:
    if not full_windows.is_empty:
        _refuse_if_full(uses)
    result = grants.count(uses, size=size)
    if result.window is not None and not result.is_allowed:
        # A window without capacity for a large body may have some for a small one.
        if not result.window.counts_bytes:
            full_windows.add(result)
        raise _REFUSALS[result.window.name](result)
    return result


def _refuse_if_full(windows: Iterable[Window]) -> None:
    for window in windows:
        if result := full_windows.find(window):
            raise _REFUSALS[window.name](result)


def _address_uses(address: Address | None) -> dict[Window, Use]:
    """Return the windows of an address; deliveries do not count as forgeries."""
    if address is None:
        return {}
    subject, uses = subject_of(address), {}
    if limit := settings.TICKHOOK_ADDRESS_LIMIT:
        uses[Window("address", subject, limit)] = Use.COUNT_AND_REPORT
    if limit := settings.TICKHOOK_FORGERY_LIMIT:
        uses[Window("forgery", subject, limit)] = Use.LOOK
    return uses


def _endpoint_uses(endpoint: WebhookEndpoint) -> dict[Window, Use]:
    own = endpoint.validation_rules.get("rate_limit", {})
    subject, uses = str(endpoint.id), {}
    if limit := own.get("per_minute", settings.TICKHOOK_ENDPOINT_LIMIT):
        uses[Window("endpoint", subject, limit)] = Use.COUNT_AND_REPORT
    if limit := own.get("per_hour"):
        uses[Window("endpoint-hour", subject, limit, 3600)] = Use.COUNT_AND_REPORT
    if limit := settings.TICKHOOK_ENDPOINT_BYTES_PER_HOUR:
        uses[Window("endpoint-bytes", subject, limit, 3600, True)] = Use.COUNT
    return uses


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


full_windows = FullWindows()
grants = Grants()
