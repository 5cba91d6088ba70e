"""Delivers again what was accepted: a new event, judged anew by all it concerns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Length

from common.errors import Conflict
from common.fields import dump_json
from events.models import Event, EventSource
from events.services.bodies import hold_bodies
from events.services.keys import find_known
from events.services.record import NewEvent, dedupe_key, record_events
from webhooks.models import Delivery, DeliveryOutcome
from webhooks.rejections.fixes import how_to_fix

MAX_REDELIVERED = 1000
EVENTS_A_STATEMENT = 500


class NotRedeliverable(Conflict):
    """Only what was accepted can be delivered again."""

    code = "not_redeliverable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redelivery:
    """The new event of a delivery, or the one that its idempotency key made before."""

    delivery_id: UUID
    event_id: UUID
    is_duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What would be delivered again, to whom; `next_from` is when the rest begins."""

    delivery_ids: Sequence[UUID]
    endpoint_ids: Set[UUID | None]
    next_from: datetime | None


def redeliver(*, delivery: Delivery, idempotency_key: str = "") -> Redelivery:
    """Record a new event for a delivery, of its event's type, request and body.

    A duplicate stands for the event that it repeats. With an idempotency key there is
    one new event however often it is asked for. Raises NotRedeliverable.
    """
    events = Event.objects.defer("body").filter(pk__in=_event_ids(delivery))
    with transaction.atomic():
        for redelivery in _record(events, idempotency_key):
            return replace(redelivery, delivery_id=delivery.pk)
    raise NotRedeliverable(
        "The body of this delivery was removed by its age; have the sender deliver it "
        "again"
    )


def choose(*, deliveries: QuerySet[Delivery], limit: int) -> Chosen:
    """Return those of the deliveries that were accepted, oldest first.

    What is a redelivery itself is left out: what it repeats is among the others. So
    is a delivery whose body was removed by its age.
    """
    accepted = deliveries.filter(outcome=DeliveryOutcome.ACCEPTED, replay_of=None)
    rows = accepted.alias(stored=Length("body")).filter(stored=F("body_size"))
    rows = rows.order_by("id").values_list("pk", "endpoint_id", "received_at")
    found = list(rows[: limit + 1])
    wanted, rest = found[:limit], found[limit:]
    return Chosen(
        delivery_ids=[pk for pk, _, _ in wanted],
        endpoint_ids={endpoint_id for _, endpoint_id, _ in wanted},
        next_from=rest[0][2] if rest else None,
    )


def redeliver_many(
    *, delivery_ids: Sequence[UUID], idempotency_key: str = ""
) -> list[Redelivery]:
    """Record a new event for each accepted delivery whose body is stored, or for none.

    All are recorded in one transaction.
    """
    with transaction.atomic():
        return [
            redelivery
            for ids in _portions(delivery_ids)
            for redelivery in _record(
                Event.objects.defer("body").filter(pk__in=ids).order_by("pk"),
                idempotency_key,
            )
        ]


def _event_ids(delivery: Delivery) -> list[UUID]:
    if delivery.outcome == DeliveryOutcome.REJECTED:
        raise NotRedeliverable(
            "This delivery was rejected, so there is no event to deliver again. "
            f"{how_to_fix(delivery.cause)} Then have the sender deliver it again."
        )
    return [delivery.event_id] if delivery.event_id else []


def _portions(ids: Sequence[UUID]) -> Iterator[list[UUID]]:
    rest = iter(ids)
    while portion := list(islice(rest, EVENTS_A_STATEMENT)):
        yield portion


def _record(events: QuerySet[Event], key: str) -> list[Redelivery]:
    """Record redeliveries of those events whose bodies are stored, and keep these so.

    The caller's transaction holds the bodies until the redeliveries are committed.
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
    """Return a redelivery of an event; its body stays where it is.

    Under a key of the caller's; under none, asking twice is wanting two.
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
