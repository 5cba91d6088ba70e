from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from common.errors import Conflict, ServiceUnavailable
from events.services.record import KnownEvent, NewEvent, find_known, record_events
from webhooks.models import ErrandKind
from webhooks.pending_fetches.fetching import request_errand
from webhooks.receiver.events import new_event, request_json
from webhooks.receiver.handshakes import confirmation_url
from webhooks.receiver.request import Delivery


class ConfirmationsBusy(ServiceUnavailable):
    """Too many confirmations wait for a worker; deliver this one again later."""

    code = "confirmations_busy"


class DeliveryIdConflict(Conflict):
    """This delivery id came before with another body."""

    code = "delivery_id_conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The event that a delivery stands for: `accepted` now, or a `duplicate`.

    Of a batch, an item can also be a `conflict`: its id came with another body.
    """

    event_id: UUID
    status: str


def record_delivery(delivery: Delivery) -> Recorded:
    """Record a delivery that passed all checks; raise DeliveryIdConflict.

    Without a delivery id each request is an event of its own. What the sender wants
    confirmed is left to a worker in the same transaction, or ConfirmationsBusy raised.
    """
    url = confirmation_url(delivery.definition, delivery.finder)
    if url is None:
        return _record(delivery)
    with transaction.atomic():
        if not request_errand(
            kind=ErrandKind.CONFIRMATION, url=url, endpoint_id=delivery.endpoint.id
        ):
            raise ConfirmationsBusy
        return _record(delivery)


def recorded_before(delivery: Delivery, first: KnownEvent, event: NewEvent) -> Recorded:
    is_same = delivery.definition.body_varies or first.has_body_like(event.body)
    status = "duplicate" if is_same else "conflict"
    return Recorded(event_id=first.event_id, status=status)


def _record(delivery: Delivery) -> Recorded:
    event = new_event(
        delivery,
        identity=delivery.identity,
        body=delivery.body,
        content_type=delivery.content_type,
        request=request_json(delivery),
    )
    if record_events([event]):
        return Recorded(event_id=event.id, status="accepted")
    first = find_known([event.dedupe_key])[event.dedupe_key]
    recorded = recorded_before(delivery, first, event)
    if recorded.status == "conflict":
        raise DeliveryIdConflict
    return recorded
