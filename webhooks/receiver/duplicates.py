from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from common.errors import clean_text
from common.fields import dump_json
from common.ids import uuid7
from webhooks.receiver.events import kept_headers
from webhooks.receiver.request import Delivery
from webhooks.rejections.fixes import DUPLICATE
from webhooks.rejections.recording import RejectedRequest, record_rejection


def note_duplicate(delivery: Delivery, event_id: UUID) -> None:
    """Count a delivery whose event there was already, and keep some for people.

    As with refusals, none costs a statement of its own. The body is not kept: it is
    that of the event.
    """

    def describe() -> RejectedRequest:
        return _describe(delivery, event_id)

    record_rejection(
        endpoint_id=delivery.endpoint.id,
        cause=DUPLICATE,
        is_verified=delivery.is_verified,
        describe=describe,
    )


def _describe(delivery: Delivery, event_id: UUID) -> RejectedRequest:
    address = delivery.address
    return RejectedRequest(
        id=uuid7(),
        endpoint=delivery.endpoint.id,
        cause=DUPLICATE,
        status=200,
        detail="",
        method=clean_text(delivery.method, limit=10),
        remote_address=None if address is None else str(address),
        delivery_id=clean_text(delivery.identity.delivery_id or "", limit=255),
        headers=dump_json(kept_headers(delivery)),
        body=b"",
        received_at=timezone.now(),
        body_size=len(delivery.body),
        event_id=event_id,
    )
