from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from common.errors import Conflict
from common.fields import dump_json
from common.text import clean_text
from events.models import Event, EventSource
from events.services.record import NewEvent, dedupe_key, record_events
from webhooks.door.request import Delivery
from webhooks.models import Rejection
from webhooks.parsing import extract

REJECTED_BODY_BYTES = 16 * 1024


class DeliveryIdConflict(Conflict):
    """This delivery id came before with another body."""

    code = "delivery_id_conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The event that a delivery stands for, now or from an earlier attempt."""

    event_id: UUID
    is_duplicate: bool

    @property
    def status(self) -> str:
        return "duplicate" if self.is_duplicate else "accepted"


def record_delivery(delivery: Delivery) -> Recorded:
    """Record a delivery that passed all checks; raise DeliveryIdConflict.

    Without a delivery id each request is an event of its own.
    """
    identity = extract(
        delivery.definition,
        delivery.finder,
        raw_body=delivery.body,
        now=time.time(),
    )
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
        _reject(delivery, event)
        raise DeliveryIdConflict
    return Recorded(event_id=first.id, is_duplicate=True)


def _request(delivery: Delivery) -> dict[str, object]:
    """Return what is kept of a request: no header that carries a credential."""
    secret = delivery.definition.credential_headers
    return {
        "method": delivery.method,
        "headers": {
            name: clean_text(value, limit=8192)
            for name, value in delivery.headers.items()
            if name not in secret
        },
        "query": delivery.query,
        "remote_address": delivery.http.META.get("REMOTE_ADDR", ""),
    }


def _reject(delivery: Delivery, event: NewEvent) -> None:
    Rejection.objects.create(
        endpoint=delivery.endpoint,
        cause=DeliveryIdConflict.code,
        status=DeliveryIdConflict.http_status,
        method=delivery.method,
        delivery_id=event.delivery_id,
        headers=_request(delivery)["headers"],
        body=delivery.body[:REJECTED_BODY_BYTES],
        received_at=timezone.now(),
    )
