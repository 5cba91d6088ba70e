"""What came in: accepted, duplicate, or rejected with its cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from common.errors import TickhookError
from events.models import Event
from events.services.bodies import is_stored
from senders.definitions import WebhookTypeDefinition
from senders.parsing import decode_body
from webhooks.models import Delivery, DeliveryOutcome
from webhooks.types.definitions import definitions_of

Senders = Mapping[str, WebhookTypeDefinition]

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
    if delivery.outcome != DeliveryOutcome.ACCEPTED:
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


def senders_of(deliveries: Iterable[Delivery]) -> Senders:
    """Return how the senders of deliveries are described, asked for together."""
    return definitions_of({_slug(delivery) for delivery in deliveries} - {""})


def status_of(delivery: Delivery, senders: Senders) -> int:
    """Return the status that the sender was answered with."""
    if delivery.status is not None:
        return delivery.status
    sender = senders.get(_slug(delivery))
    return 200 if sender is None or sender.response is None else sender.response.status


def body_of(delivery: Delivery) -> DeliveredBody | None:
    """Return the body: of a redelivery or a duplicate that of the event it repeats.

    None if that is not kept any more.
    """
    if repeated := _repeated(delivery):
        original = Event.objects.filter(pk=repeated).first()
        is_kept = original is not None and is_stored(original)
        return DeliveredBody(raw=bytes(original.body)) if original and is_kept else None
    raw, whole = bytes(delivery.body), delivery.body_size
    if delivery.outcome == DeliveryOutcome.ACCEPTED:
        return DeliveredBody(raw=raw) if len(raw) == whole else None
    is_cut = len(raw) >= KEPT_BYTES if whole is None else len(raw) < whole
    return DeliveredBody(raw=raw, is_truncated=is_cut)


def readable(delivery: Delivery, body: DeliveredBody) -> bytes:
    """Return the body as people read it: without gzip, where it was sent with it."""
    encoding = request_of(delivery).headers.get("content-encoding", "")
    try:
        return decode_body(body.raw, encoding)
    except TickhookError:
        return body.raw


def _slug(delivery: Delivery) -> str:
    return delivery.event_type.partition(".")[0].lower()


def _repeated(delivery: Delivery) -> UUID | None:
    is_duplicate = delivery.outcome == DeliveryOutcome.DUPLICATE
    return delivery.event_id if is_duplicate else delivery.replay_of


def redeliveries_of(delivery: Delivery) -> list[UUID]:
    """Return the events by which this one was delivered again, newest first."""
    if delivery.event_id is None:
        return []
    again = Event.objects.filter(replay_of=delivery.event_id).order_by("-id")
    return list(again.values_list("pk", flat=True)[:100])
