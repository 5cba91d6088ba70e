"""How many requests, and bytes, the receiver accepts, from whom and in all.

Each request is at most one question to Redis, asked once its signature was looked at:
forged ones spend nothing of their victim's. Who is known to be over a limit is not
asked about, and is refused before a signature costs anything.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings

from common.addresses import Address, subject_of
from common.errors import RateLimited
from webhooks.limits import Leases, Memory, Use, Verdict, Window
from webhooks.models import WebhookEndpoint

memory = Memory()
leases = Leases()


class TooManyRequests(RateLimited):
    """Too many requests; try again later."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(retry_after_seconds=verdict.retry_after_seconds)
        self.headers = verdict.headers


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
    """Raise TooManyRequests if this process knows an address to be over a limit."""
    if memory.knows_any:
        _refuse_if_known(_address_uses(address))


def count_forgery(address: Address | None) -> None:
    """Count a request for nobody or with a wrong signature; raise TooManyRequests."""
    _count(dict.fromkeys(_address_uses(address), Use.COUNT))


def count_delivery(
    address: Address | None, endpoint: WebhookEndpoint, *, size: int
) -> Verdict:
    """Count a request that its sender signed, and its bytes; raise TooManyRequests.

    Return what may be told of the limit that it comes nearest to.
    """
    uses = _address_uses(address) | _endpoint_uses(endpoint)
    if limit := settings.TICKHOOK_GLOBAL_LIMIT:
        uses[Window("global", "", limit)] = Use.COUNT
    return _count(uses, size=size if settings.TICKHOOK_ENDPOINT_BYTES_PER_HOUR else 0)


def _count(uses: dict[Window, Use], *, size: int = 0) -> Verdict:
    if memory.knows_any:
        _refuse_if_known(uses)
    verdict = leases.ask(uses, size=size)
    if verdict.window is not None and not verdict.is_allowed:
        # A window that has no room for a large request may have some for a small one.
        if not verdict.window.counts_bytes:
            memory.remember(verdict)
        raise _REFUSALS[verdict.window.name](verdict)
    return verdict


def _refuse_if_known(windows: Iterable[Window]) -> None:
    for window in windows:
        if verdict := memory.refusal(window):
            raise _REFUSALS[window.name](verdict)


def _address_uses(address: Address | None) -> dict[Window, Use]:
    """Return the windows of an address; a delivery only looks at that of forgeries."""
    if address is None:
        return {}
    subject, uses = subject_of(address), {}
    if limit := settings.TICKHOOK_ADDRESS_LIMIT:
        uses[Window("address", subject, limit)] = Use.COUNT_AND_TELL
    if limit := settings.TICKHOOK_FORGERY_LIMIT:
        uses[Window("forgery", subject, limit)] = Use.LOOK
    return uses


def _endpoint_uses(endpoint: WebhookEndpoint) -> dict[Window, Use]:
    own = endpoint.validation_rules.get("rate_limit", {})
    subject, uses = str(endpoint.id), {}
    if limit := own.get("per_minute", settings.TICKHOOK_ENDPOINT_LIMIT):
        uses[Window("endpoint", subject, limit)] = Use.COUNT_AND_TELL
    if limit := own.get("per_hour"):
        uses[Window("endpoint-hour", subject, limit, 3600)] = Use.COUNT_AND_TELL
    if limit := settings.TICKHOOK_ENDPOINT_BYTES_PER_HOUR:
        uses[Window("endpoint-bytes", subject, limit, 3600, True)] = Use.COUNT
    return uses
