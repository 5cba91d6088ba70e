from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from common.errors import Conflict
from common.fields import dump_json
from common.text import clean_text
from events.models import Event, EventSource
from events.services.record import NewEvent, dedupe_key, record_events
from webhooks.door.request import Delivery


class DeliveryIdConflict(Conflict):
    """This delivery id came before with another body."""

    code = "delivery_id_conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The event that a delivery stands for, now or from an earlier attempt."""

    event_id: UUID
    is_duplicate: bool


def record_delivery(delivery: Delivery) -> Recorded:
    """Record a delivery that passed all checks; raise DeliveryIdConflict.

    Without a delivery id each request is an event of its own.
    """
    identity = delivery.identity
    key = None
    if identity.delivery_id is not None:
        scope = delivery.endpoint.id
        key = dedupe_key(EventSource.WEBHOOK, scope, identity.delivery_id)
    event = NewEvent(
        type=identity.event_type,
        source=EventSource.WEBHOOK,
        subject=delivery.endpoint.subject,
        body=delivery.body,
        content_type=clean_text(delivery.content_type, limit=255),
        request=dump_json(_request(delivery)),
        endpoint_id=delivery.endpoint.id,
        delivery_id=clean_text(identity.delivery_id or "", limit=255),
        dedupe_key=key,
    )
    if record_events([event]):
        return Recorded(event_id=event.id, is_duplicate=False)
    return _earlier(delivery, event)


def _earlier(delivery: Delivery, event: NewEvent) -> Recorded:
    first = Event.objects.only("id", "body").get(dedupe_key=event.dedupe_key)
    if bytes(first.body) != delivery.body and not delivery.definition.body_varies:
        raise DeliveryIdConflict
    return Recorded(event_id=first.id, is_duplicate=True)


def _request(delivery: Delivery) -> dict[str, object]:
    return {
        "method": delivery.method,
        "headers": kept_headers(delivery),
        "query": delivery.query,
        "remote_address": delivery.http.META.get("REMOTE_ADDR", ""),
    }


def kept_headers(delivery: Delivery) -> dict[str, str]:
    """Return the headers that may be stored: none that carries a credential."""
    secret = delivery.definition.credential_headers
    return {
        name: clean_text(value, limit=8192)
        for name, value in delivery.headers.items()
        if name not in secret
    }
