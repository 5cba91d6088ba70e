"""How many requests and bytes the receiver accepts: per address, endpoint, and in all.

A request is counted by at most one call to Redis, after its signature was verified:
forged requests use nothing of the limits of their victim. If this process knows that an
address is over its limit, it refuses the request without that call and without
verifying a signature.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings

from common.addresses import Address, subject_of
from common.errors import RateLimited
from common.rate_limits import FullWindows, LimitResult, Use, Window
from webhooks.limits.grants import Grants
from webhooks.models import WebhookEndpoint

full_windows = FullWindows()
grants = Grants()


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
