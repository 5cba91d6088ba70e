"""Records the events of a request that has passed all checks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from django.db import transaction

from common.errors import Conflict, ServiceUnavailable, TickhookError, clean_text
from events.models import EventSource
from events.services.record import (
    KnownEvent,
    NewEvent,
    dedupe_key,
    find_known,
    record_events,
)
from senders.definitions import WebhookTypeDefinition
from senders.definitions.webhook_types import BatchFormat
from senders.parsing import (
    DeliveryIdentity,
    ParsedBody,
    extract_identity,
    stable_digest,
)
from senders.parsing.bodies import split_array
from senders.parsing.cloudevents import CLOUDEVENTS, data_of
from senders.parsing.forms import parse_header
from webhooks.models import PendingFetchKind
from webhooks.pending_fetches import request_fetch
from webhooks.receiver.handshakes import confirmation_url
from webhooks.receiver.request import (
    WebhookRequest,
    identify,
    storable_headers,
    storable_query,
)
from webhooks.types import StoredRequest

RecordedStatus = Literal["accepted", "duplicate", "conflict"]

# These headers describe the whole batch, so they are not stored with an item.
_HEADERS_OF_BATCH = frozenset({"content-encoding", "content-length", "content-type"})
JSON = "application/json"
# Headers and query are sent once with a batch and stored with each item.
MAX_REPEATED_BYTES = 16 * 1024 * 1024


class ConfirmationsBusy(ServiceUnavailable):
    """Too many confirmations are pending; deliver this one again later."""

    code = "confirmations_busy"


class DeliveryIdConflict(Conflict):
    """An earlier delivery had this delivery id and another body."""

    code = "delivery_id_conflict"


class BatchTooLarge(TickhookError):
    """Headers and query, stored with each item, are too large: send smaller batches."""

    code = "batch_too_large"
    http_status = 413


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The event of a delivery: `accepted` now, or a `duplicate` of an earlier one.

    An item of a batch can also be a `conflict`: its id came earlier with another body.
    """

    event_id: UUID
    status: RecordedStatus


def event_of(request: WebhookRequest) -> NewEvent:
    """Return the event of a delivery; without a delivery id it is new in any case."""
    return _new_event(
        request,
        identity=identify(request),
        body=request.body,
        content_type=request.content_type,
        stored=_stored_request(request).to_json(),
    )


def recorded_as(request: WebhookRequest, event: NewEvent, new: set[UUID]) -> Recorded:
    """Return what became of an event; `new` is what `record_events` returned for it.

    Raise DeliveryIdConflict.
    """
    [recorded] = _compare(request.definition, [event], new)
    if recorded.status == "conflict":
        raise DeliveryIdConflict
    return recorded


def url_to_confirm(request: WebhookRequest) -> str | None:
    """Return the URL that the sender wants to be fetched, as a confirmation."""
    confirmation = request.definition.confirmation
    # The sender did not ask for a test event.
    if confirmation is None or request.throw_away_secret:
        return None
    return confirmation_url(confirmation, request.finder)


def record_with_confirmation(request: WebhookRequest, url: str) -> Recorded:
    """Record a delivery, and in the same transaction that a worker is to fetch a URL.

    Raise DeliveryIdConflict; or ConfirmationsBusy if too many fetches are pending.
    """
    event = event_of(request)
    with transaction.atomic():
        if not request_fetch(
            kind=PendingFetchKind.CONFIRMATION,
            url=url,
            endpoint_id=request.endpoint.id,
        ):
            raise ConfirmationsBusy
        return recorded_as(request, event, record_events([event]))


def is_batch(
    definition: WebhookTypeDefinition, *, content_type: str, parsed: ParsedBody
) -> bool:
    """Return whether a body is several events.

    If the type uses the same content type for batches and single events, an array is a
    batch.
    """
    batch = definition.batch
    name, _ = parse_header(content_type)
    is_undeclared = bool(batch and parsed.read_as and batch.content_type == JSON)
    if batch is None or not (name == batch.content_type or is_undeclared):
        return False
    may_be_single = batch.item_content_type == batch.content_type
    return isinstance(parsed.value, list) or not may_be_single


def record_batch(request: WebhookRequest, batch: BatchFormat) -> list[Recorded]:
    """Record the items of a JSON array as events, all or none, in one statement.

    Raise MalformedBody if the body is no array; BatchTooLarge; DeliveryIdConflict if
    all items came earlier with other bodies.
    """
    events = list(_events_of_batch(request, batch))
    recorded = _compare(request.definition, events, record_events(events))
    if recorded and all(one.status == "conflict" for one in recorded):
        raise DeliveryIdConflict
    return recorded


def _events_of_batch(request: WebhookRequest, batch: BatchFormat) -> Iterator[NewEvent]:
    stored = _stored_request(request, without=_HEADERS_OF_BATCH).to_json()
    items = split_array(request.content.data)
    values = request.content.parsed.value
    assert isinstance(values, list)  # noqa: S101 - split_array raises otherwise
    if len(stored) * len(items) > MAX_REPEATED_BYTES:
        raise BatchTooLarge
    for item, value in zip(items, values, strict=True):
        finder = replace(request.finder, body=value)
        yield _new_event(
            request,
            identity=extract_identity(
                request.definition, finder, raw_body=item, now=time.time()
            ),
            body=item,
            content_type=batch.item_content_type,
            stored=stored,
        )


def _compare(
    definition: WebhookTypeDefinition, events: Sequence[NewEvent], new: set[UUID]
) -> list[Recorded]:
    """Compare the events that are not new with the first ones of their delivery ids.

    If the body of a sender varies, another event with a known id is an event of its
    own: its key is then the id with the content that does not vary.
    """
    known = find_known([e.dedupe_key for e in events if e.id not in new])
    others = {
        event.id: _with_key_of_content(definition, event)
        for event in events
        if definition.body_varies
        and event.id not in new
        and not _repeats(definition, known[event.dedupe_key], event)
    }
    new = new | record_events(list(others.values()))
    known |= find_known([e.dedupe_key for e in others.values() if e.id not in new])
    recorded = []
    for event in (others.get(event.id, event) for event in events):
        if event.id in new:
            recorded.append(Recorded(event_id=event.id, status="accepted"))
            continue
        first = known[event.dedupe_key]
        is_same = _repeats(definition, first, event)
        status: RecordedStatus = "duplicate" if is_same else "conflict"
        recorded.append(Recorded(event_id=first.event_id, status=status))
    return recorded


def _repeats(
    definition: WebhookTypeDefinition, first: KnownEvent, event: NewEvent
) -> bool:
    """Return whether an event repeats the first one with its delivery id."""
    if not definition.body_varies and not definition.envelope:
        return first.has_body_like(event.body)
    if first.type is None:
        return True
    # The slug before the dot changes with the endpoint's type.
    if first.type.partition(".")[2] != event.type.partition(".")[2]:
        return False
    if definition.envelope == CLOUDEVENTS:
        return first.body is None or data_of(first.body) == data_of(event.body)
    if definition.varying is None or first.body is None:
        return True
    return first.body == event.body or (
        stable_digest(first.body, varying=definition.varying)
        == stable_digest(event.body, varying=definition.varying)
    )


def _with_key_of_content(
    definition: WebhookTypeDefinition, event: NewEvent
) -> NewEvent:
    content = ""
    if definition.varying is not None:
        content = stable_digest(event.body, varying=definition.varying)
    _, _, name = event.type.partition(".")
    key = f"{event.dedupe_key}\n{name}\n{content}"
    return replace(
        event, dedupe_key=dedupe_key(EventSource.WEBHOOK, event.endpoint_id, key)
    )


def _new_event(
    request: WebhookRequest,
    *,
    identity: DeliveryIdentity,
    body: bytes,
    content_type: str,
    stored: str,
) -> NewEvent:
    """Return the event of a delivery or of one item; `stored` is JSON text."""
    endpoint, delivery_id = request.endpoint, identity.delivery_id
    key = None
    if delivery_id is not None:
        key = dedupe_key(EventSource.WEBHOOK, endpoint.id, delivery_id)
    return NewEvent(
        type=identity.event_type,
        source=EventSource.WEBHOOK,
        subject=endpoint.subject,
        body=body,
        content_type=clean_text(content_type, limit=255),
        request=stored,
        endpoint_id=endpoint.id,
        delivery_id=clean_text(delivery_id or "", limit=255),
        dedupe_key=key,
    )


def _stored_request(
    request: WebhookRequest, *, without: frozenset[str] = frozenset()
) -> StoredRequest:
    headers, parsed = storable_headers(request), request.content.parsed
    return StoredRequest(
        method=request.method,
        headers={n: v for n, v in headers.items() if n not in without},
        query=storable_query(request),
        remote_address=request.remote_address,
        is_validated=request.is_validated,
        read_as=parsed.read_as,
        warning=parsed.warning,
    )
