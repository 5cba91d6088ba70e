"""Deliveries that carry several events: each is recorded as one of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from uuid import UUID

from common.errors import TickhookError
from events.services.record import KnownEvent, NewEvent, find_known, record_events
from senders.definitions.webhook_types import BatchFormat
from senders.parsing.json_bodies import split_array
from webhooks.receiver.events import new_event, request_json
from webhooks.receiver.record import DeliveryIdConflict, Recorded, recorded_before
from webhooks.receiver.refusals import note_refusal
from webhooks.receiver.request import Delivery

# What is said of the whole is not true of an item.
OF_THE_WHOLE = frozenset({"content-encoding", "content-length", "content-type"})
# What is sent once beside a batch is kept with each item.
MAX_REPEATED_BYTES = 16 * 1024 * 1024


class BatchTooLarge(TickhookError):
    """Headers and query, kept with each item, are too large: send smaller batches."""

    code = "batch_too_large"
    http_status = 413


def record_batch(delivery: Delivery, batch: BatchFormat) -> list[Recorded]:
    """Record each item of a JSON array, all or none, in one statement.

    Raise MalformedBody if it is none; BatchTooLarge; DeliveryIdConflict if all that it
    holds has come before with other bodies. Where only some has, those are noted as
    refused.
    """
    events = list(_events(delivery, batch))
    new = record_events(events)
    known = find_known([e.dedupe_key for e in events if e.id not in new])
    recorded = [_recorded(delivery, event, new, known) for event in events]
    conflicts = sum(one.status == "conflict" for one in recorded)
    if conflicts and conflicts == len(recorded):
        raise DeliveryIdConflict
    if conflicts:
        note_refusal(delivery, DeliveryIdConflict())
    return recorded


def _events(delivery: Delivery, batch: BatchFormat) -> Iterator[NewEvent]:
    request = request_json(delivery, without=OF_THE_WHOLE)
    items = split_array(delivery.content)
    if len(request) * len(items) > MAX_REPEATED_BYTES:
        raise BatchTooLarge
    for place, item in enumerate(items):
        yield new_event(
            delivery,
            identity=delivery.identity_of_item(place, item),
            body=item,
            content_type=batch.item_content_type,
            request=request,
        )


def _recorded(
    delivery: Delivery,
    event: NewEvent,
    new: set[UUID],
    known: Mapping[UUID | None, KnownEvent],
) -> Recorded:
    if event.id in new:
        return Recorded(event_id=event.id, status="accepted")
    return recorded_before(delivery, known[event.dedupe_key], event)
