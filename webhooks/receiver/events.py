"""From a delivery to the event that it is recorded as."""

from __future__ import annotations

from common.errors import clean_text
from common.fields import dump_json
from events.models import EventSource
from events.services.record import NewEvent, dedupe_key
from senders.definitions.webhook_types import CREDENTIAL_PARAMETERS
from senders.parsing import DeliveryIdentity
from webhooks.receiver.request import Delivery
from webhooks.receiver.validation import VALIDATED


def new_event(
    delivery: Delivery,
    *,
    identity: DeliveryIdentity,
    body: bytes,
    content_type: str,
    request: str,
) -> NewEvent:
    """Return the event of a delivery, or of one item of it; `request` is JSON text."""
    endpoint, delivery_id = delivery.endpoint, identity.delivery_id
    key = None
    if delivery_id is not None:
        key = dedupe_key(EventSource.WEBHOOK, endpoint.id, delivery_id)
    return NewEvent(
        type=identity.event_type,
        source=EventSource.WEBHOOK,
        subject=endpoint.subject,
        body=body,
        content_type=clean_text(content_type, limit=255),
        request=request,
        endpoint_id=endpoint.id,
        delivery_id=clean_text(delivery_id or "", limit=255),
        dedupe_key=key,
    )


def request_json(delivery: Delivery, *, without: frozenset[str] = frozenset()) -> str:
    """Return what is kept of a request beside its body, as JSON text."""
    headers = kept_headers(delivery)
    kept: dict[str, object] = {
        "method": delivery.method,
        "headers": {n: v for n, v in headers.items() if n not in without},
        "query": {
            name: value
            for name, value in delivery.query.items()
            if name.lower() not in CREDENTIAL_PARAMETERS
        },
        "remote_address": delivery.http.META.get("REMOTE_ADDR", ""),
    }
    if delivery.is_validated:
        kept[VALIDATED] = True
    return dump_json(kept)


def kept_headers(delivery: Delivery) -> dict[str, str]:
    """Return the headers that may be stored: none that carries a credential."""
    secret = delivery.definition.credential_headers
    return {
        name: clean_text(value, limit=8192)
        for name, value in delivery.headers.items()
        if name not in secret
    }
