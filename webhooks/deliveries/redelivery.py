"""Redelivers accepted deliveries: each becomes a new event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Length

from common.errors import Conflict
from common.fields import dump_json
from events.models import Event, EventSource
from events.services.bodies import hold_bodies
from events.services.record import NewEvent, dedupe_key, find_known, record_events
from webhooks.models import Delivery, DeliveryOutcome
from webhooks.rejections.fixes import how_to_fix

MAX_REDELIVERED = 1000
EVENTS_PER_STATEMENT = 500


class NotRedeliverable(Conflict):
    """Only an accepted delivery can be redelivered."""

    code = "not_redeliverable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redelivery:
    """The new event of a delivery, or the earlier one with its idempotency key."""

    delivery_id: UUID
    event_id: UUID
    is_duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedSelection:
    """The deliveries to redeliver with their endpoints, oldest first.

    `next_from` is when the remaining ones begin.
    """

    endpoints: Mapping[UUID, UUID | None]
    next_from: datetime | None

    def without(self, closed: Set[UUID | None]) -> list[UUID]:
        """Return the deliveries that did not arrive at one of these endpoints."""
        return [pk for pk, endpoint in self.endpoints.items() if endpoint not in closed]


def redeliver(*, delivery: Delivery, idempotency_key: str = "") -> Redelivery:
    """Record a new event with the type, request and body of a delivery's event.

    For a duplicate, this is the event that it repeats. Calls with the same idempotency
    key record one event. Raises NotRedeliverable.
    """
    if delivery.outcome == DeliveryOutcome.REJECTED:
        raise NotRedeliverable(
            "This delivery was rejected, so there is no event to redeliver. "
            f"{how_to_fix(delivery.cause)} Then let the sender deliver it again."
        )
    event_ids = [delivery.event_id] if delivery.event_id else []
    events = Event.objects.defer("body").filter(pk__in=event_ids)
    with transaction.atomic():
        for redelivery in _record(events, idempotency_key):
            return replace(redelivery, delivery_id=delivery.pk)
    raise NotRedeliverable(
        "The body of this delivery is no longer stored: its retention ended, or its "
        "subject was erased. Let the sender deliver it again"
    )


def select_accepted(*, deliveries: QuerySet[Delivery], limit: int) -> AcceptedSelection:
    """Select the accepted deliveries, oldest first.

    Redeliveries are left out, because the deliveries that they repeat are included. So
    are deliveries whose body is no longer stored.
    """
    accepted = deliveries.filter(outcome=DeliveryOutcome.ACCEPTED, replay_of=None)
    rows = accepted.alias(stored=Length("body")).filter(stored=F("body_size"))
    ids = rows.order_by("id").values_list("pk", "endpoint_id", "received_at")
    found = list(ids[: limit + 1])
    wanted, rest = found[:limit], found[limit:]
    return AcceptedSelection(
        endpoints={pk: endpoint_id for pk, endpoint_id, _ in wanted},
        next_from=rest[0][2] if rest else None,
    )


def redeliver_many(
    *, delivery_ids: Sequence[UUID], idempotency_key: str = ""
) -> list[Redelivery]:
    """Record a new event for each accepted delivery whose body is stored.

    All events are recorded in one transaction, or none.
    """
    redeliveries = []
    with transaction.atomic():
        for start in range(0, len(delivery_ids), EVENTS_PER_STATEMENT):
            ids = delivery_ids[start : start + EVENTS_PER_STATEMENT]
            events = Event.objects.defer("body").filter(pk__in=ids).order_by("pk")
            redeliveries += _record(events, idempotency_key)
    return redeliveries


def _record(events: QuerySet[Event], key: str) -> list[Redelivery]:
    """Record redeliveries of the events whose bodies are stored.

    `hold_bodies` locks the bodies, so that they cannot be deleted before the caller's
    transaction has committed the redeliveries.
    """
    kept = hold_bodies({event.replay_of or event.pk for event in events})
    new = [
        (event.pk, _new_event(event, key))
        for event in events
        if (event.replay_of or event.pk) in kept
    ]
    recorded = record_events([event for _, event in new])
    known = find_known([e.dedupe_key for _, e in new if e.id not in recorded])
    return [
        Redelivery(
            delivery_id=delivery_id,
            event_id=known[event.dedupe_key].event_id if is_known else event.id,
            is_duplicate=is_known,
        )
        for delivery_id, event in new
        for is_known in [event.id not in recorded]
    ]


def _new_event(event: Event, key: str) -> NewEvent:
    """Return a redelivery of an event; the body stays with the original event.

    Without an idempotency key, each call records another event.
    """
    original = event.replay_of or event.pk
    scope = f"redelivery of {original}"
    return NewEvent(
        type=event.type,
        source=EventSource.WEBHOOK,
        subject=event.subject,
        body_size=event.body_size,
        content_type=event.content_type,
        request=None if event.request is None else dump_json(event.request),
        endpoint_id=event.endpoint_id,
        delivery_id=event.delivery_id,
        replay_of=original,
        dedupe_key=dedupe_key(EventSource.WEBHOOK, scope, key) if key else None,
    )
