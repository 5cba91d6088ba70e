from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from uuid import UUID

from common.correlation import Cause, current_cause
from common.errors import Conflict, Fault, InvalidInput, clean_text
from common.fields import dump_json
from events.models import Event, EventSource, EventType
from events.services.keys import find_known
from events.services.record import NewEvent, dedupe_key, record_events

LONGEST_TYPE = 200
LONGEST_SUBJECT = 255


class UnknownEventType(InvalidInput):
    """The event type is not in the catalogue."""

    code = "unsupported_event_type"


class IdempotencyKeyConflict(Conflict):
    """Another event was emitted with this subject and idempotency key."""

    code = "idempotency_key_conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted:
    """The event that an emit stands for; a duplicate names the one recorded first."""

    event_id: UUID
    is_duplicate: bool


def emit(
    type: str,  # noqa: A002 - the word of the contract
    payload: Mapping[str, object],
    *,
    subject: str = "",
    idempotency_key: str = "",
    cause_id: UUID | None = None,
) -> Emitted:
    """Record a domain event of the catalogue; raise UnknownEventType for others.

    A subject that can't be stored raises InvalidInput. Called again with the same
    subject and idempotency key it records nothing and returns the first event's id;
    if the type or the payload is another, it raises IdempotencyKeyConflict.
    The cause is the event `cause_id` (InvalidInput if there is none), or what the
    code around says: see `emit_because_of`.
    """
    require_known_type(type)
    _require_storable(subject)
    key = (
        dedupe_key(EventSource.EMIT, subject, idempotency_key)
        if idempotency_key
        else None
    )
    event = NewEvent(
        type=type,
        source=EventSource.EMIT,
        subject=subject,
        body=dump_json(payload).encode(),
        delivery_id=clean_text(idempotency_key, limit=255),
        dedupe_key=key,
    )
    cause = _load_cause(cause_id) if cause_id else current_cause()
    if cause is not None:
        event = _caused_by(cause, event)
    if record_events([event]):
        return Emitted(event_id=event.id, is_duplicate=False)
    return Emitted(event_id=_first_of(event), is_duplicate=True)


def require_known_type(name: str) -> None:
    readable = clean_text(name, limit=LONGEST_TYPE)
    if readable == name and EventType.objects.filter(name=name).exists():
        return
    known = EventType.objects.values_list("name", flat=True)
    close = get_close_matches(readable, known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    detail = f"Event type '{readable}' is not in the catalogue{hint}"
    raise UnknownEventType(detail, faults=[Fault("/type", detail)])


def _require_storable(subject: str) -> None:
    if clean_text(subject, limit=LONGEST_SUBJECT) != subject:
        detail = f"Must be at most {LONGEST_SUBJECT} characters, all of them Unicode"
        raise InvalidInput(detail, faults=[Fault("/subject", detail)])


def _first_of(event: NewEvent) -> UUID:
    """Return the id of the event that was first under this key, if it is the same.

    What retention deleted of the first event is not compared.
    """
    first = find_known([event.dedupe_key])[event.dedupe_key]
    if first.type is not None and first.type != event.type:
        raise IdempotencyKeyConflict
    if first.body is not None and json.loads(first.body) != json.loads(event.body):
        raise IdempotencyKeyConflict
    return first.event_id


def _load_cause(event_id: UUID) -> Cause:
    found = Event.objects.filter(pk=event_id).values("depth", "correlation_id").first()
    if found is None:
        detail = "There is no such event"
        raise InvalidInput(detail, faults=[Fault("/cause_id", detail)])
    return Cause(event_id=event_id, **found)


def _caused_by(cause: Cause, event: NewEvent) -> NewEvent:
    """Return an event that says what led to it: one step deeper, same correlation."""
    return replace(
        event,
        cause_id=cause.event_id,
        depth=cause.depth + 1,
        correlation_id=cause.correlation_id,
    )
