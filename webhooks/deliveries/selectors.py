"""Reads the request, body, answer and redeliveries of a delivery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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

Definitions = Mapping[str, WebhookTypeDefinition]

# The receiver stores no more bytes of a body that it rejects.
MAX_STORED_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredBody:
    """The raw bytes of a body, or the first of them."""

    raw: bytes
    is_truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """The stored parts of a request; headers with credentials are not stored."""

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, Any]
    remote_address: str
    read_as: str | None = None
    warnings: Sequence[str] = ()


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
        read_as=kept.get("read_as"),
        warnings=kept.get("warnings", ()),
    )


def load_definitions(deliveries: Iterable[Delivery]) -> Definitions:
    """Return the webhook types of these deliveries with one query."""
    return definitions_of({_slug(delivery) for delivery in deliveries} - {""})


def status_of(delivery: Delivery, definitions: Definitions) -> int:
    """Return the HTTP status that the receiver answered."""
    if delivery.status is not None:
        return delivery.status
    definition = definitions.get(_slug(delivery))
    response = definition and definition.response
    return response.status if response else 200


def body_of(delivery: Delivery) -> DeliveredBody | None:
    """Return the body; None if it is no longer stored.

    A redelivery or duplicate has the body of the event that it repeats.
    """
    is_duplicate = delivery.outcome == DeliveryOutcome.DUPLICATE
    original_id = delivery.event_id if is_duplicate else delivery.replay_of
    if original_id is not None:
        original = Event.objects.filter(pk=original_id).first()
        if original is None or not is_stored(original):
            return None
        return DeliveredBody(raw=bytes(original.body))
    raw, size = bytes(delivery.body), delivery.body_size
    if delivery.outcome == DeliveryOutcome.ACCEPTED:
        return DeliveredBody(raw=raw) if len(raw) == size else None
    is_truncated = len(raw) >= MAX_STORED_BYTES if size is None else len(raw) < size
    return DeliveredBody(raw=raw, is_truncated=is_truncated)


def decompressed(delivery: Delivery, body: DeliveredBody) -> bytes:
    """Return the body without gzip, if it was sent with it and can be decompressed."""
    encoding = request_of(delivery).headers.get("content-encoding", "")
    try:
        return decode_body(body.raw, encoding)
    except TickhookError:
        return body.raw


def redeliveries_of(delivery: Delivery) -> list[UUID]:
    """Return the ids of at most 100 redeliveries of this event, newest first."""
    if delivery.event_id is None:
        return []
    events = Event.objects.filter(replay_of=delivery.event_id).order_by("-id")
    return list(events.values_list("pk", flat=True)[:100])


def _slug(delivery: Delivery) -> str:
    return delivery.event_type.partition(".")[0].lower()
