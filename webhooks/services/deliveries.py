"""What came in: accepted, duplicate, or rejected with its cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from events.models import Event
from webhooks.models import Delivery, Outcome
from webhooks.services.types.definitions import definition_of

# The door keeps no more of what it refuses.
KEPT_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredBody:
    """The raw bytes that came, or the first of them."""

    raw: bytes
    is_truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """What is kept of a request: no header that carried a credential."""

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, Any]
    remote_address: str


def request_of(delivery: Delivery) -> SentRequest:
    if delivery.outcome != Outcome.ACCEPTED:
        return SentRequest(
            method=delivery.method,
            headers=delivery.headers or {},
            query={},
            remote_address=delivery.remote_address,
        )
    kept = delivery.request if isinstance(delivery.request, dict) else {}
    return SentRequest(
        method=kept.get("method", ""),
        headers=kept.get("headers", {}),
        query=kept.get("query", {}),
        remote_address=kept.get("remote_address", ""),
    )


def status_of(delivery: Delivery) -> int:
    """Return the status that the sender was answered with."""
    if delivery.status is not None:
        return delivery.status
    response = definition_of(delivery.event_type.partition(".")[0]).response
    return 200 if response is None else response.status


def body_of(delivery: Delivery) -> DeliveredBody | None:
    """Return the body: of a redelivery or a duplicate that of the event it repeats.

    None if that is not kept any more.
    """
    if repeated := _repeated(delivery):
        original = Event.objects.filter(pk=repeated).only("body").first()
        return None if original is None else DeliveredBody(raw=bytes(original.body))
    raw = bytes(delivery.body)
    if delivery.outcome == Outcome.ACCEPTED:
        return DeliveredBody(raw=raw)
    whole = delivery.body_size
    is_cut = len(raw) >= KEPT_BYTES if whole is None else len(raw) < whole
    return DeliveredBody(raw=raw, is_truncated=is_cut)


def _repeated(delivery: Delivery) -> UUID | None:
    is_duplicate = delivery.outcome == Outcome.DUPLICATE
    return delivery.event_id if is_duplicate else delivery.replay_of


def redeliveries_of(delivery: Delivery) -> list[UUID]:
    """Return the events by which this one was delivered again, newest first."""
    if delivery.event_id is None:
        return []
    again = Event.objects.filter(replay_of=delivery.event_id).order_by("-id")
    return list(again.values_list("pk", flat=True)[:100])
