"""Emitting domain events of the catalogue."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils.module_loading import import_string

from common.correlation import Cause, current_cause
from common.errors import Conflict, Fault, InvalidInput, clean_text
from common.fields import dump_json
from events.models import Event, EventSource, EventType
from events.services.record import NewEvent, dedupe_key, find_known, record_events

LONGEST_TYPE = 200
LONGEST_SUBJECT = 255
# The namespace of an event type is the first part of its name: `task` in `task.failed`.
# Tickhook itself emits events of these.
INTERNAL_NAMESPACES = ("execution", "schedule", "task", "trigger")


class UnknownEventType(InvalidInput):
    """The event type is not in the catalogue."""

    code = "unsupported_event_type"


class UnknownCause(InvalidInput):
    """The event that is named as the cause does not exist."""

    def __init__(self) -> None:
        detail = "There is no such event"
        super().__init__(detail, faults=[Fault("/cause_id", detail)])


class IdempotencyKeyConflict(Conflict):
    """Another event was emitted with this subject and idempotency key."""

    code = "idempotency_key_conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted:
    """The event of an emit call; for a duplicate, the event that was recorded first.

    `timestamp` is when it was recorded; None if retention has deleted the event since.
    `triggered_workflows` is how many tasks came of it: None until all of its executions
    are final, so always None for a new event.
    """

    event_id: UUID
    is_duplicate: bool
    type: str
    payload: Mapping[str, object]
    subject: str
    timestamp: datetime | None
    triggered_workflows: int | None

    @property
    def customer_id(self) -> str:
        """Return the subject under its other name."""
        return self.subject


def emit(
    type: str,  # noqa: A002 - the word of the contract
    payload: Mapping[str, object],
    *,
    subject: str = "",
    idempotency_key: str = "",
    cause_id: UUID | None = None,
) -> Emitted:
    """Record a domain event of the catalogue; raise UnknownEventType for others.

    A second call with the same subject and idempotency key records nothing and returns
    the id of the first event; it raises IdempotencyKeyConflict if the type or the
    payload differs. The cause is the event `cause_id`, or else that of the surrounding
    `emit_because_of`. Raises InvalidInput if the subject cannot be stored, and
    UnknownCause.
    """
    require_known_type(type)
    if clean_text(subject, limit=LONGEST_SUBJECT) != subject:
        detail = f"Must be at most {LONGEST_SUBJECT} characters, all of them Unicode"
        raise InvalidInput(detail, faults=[Fault("/subject", detail)])
    key = None
    if idempotency_key:
        key = dedupe_key(EventSource.EMIT, subject, idempotency_key)
    new = NewEvent(
        type=type,
        source=EventSource.EMIT,
        subject=subject,
        body=dump_json(payload).encode(),
        delivery_id=clean_text(idempotency_key, limit=255),
        dedupe_key=key,
    )
    event = _with_cause(new, cause_id)
    is_new = bool(record_events([event]))
    event_id = event.id if is_new else _find_first(event)
    times = Event.objects.filter(pk=event_id).values_list("received_at", flat=True)
    timestamp = times.first()
    return Emitted(
        event_id=event_id,
        is_duplicate=not is_new,
        type=type,
        payload=payload,
        subject=subject,
        timestamp=timestamp,
        triggered_workflows=None if is_new or not timestamp else _count_tasks(event_id),
    )


def require_known_type(name: str) -> None:
    readable = clean_text(name, limit=LONGEST_TYPE)
    if readable == name and EventType.objects.filter(name=name).exists():
        return
    known = EventType.objects.values_list("name", flat=True)
    close = get_close_matches(readable, known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    detail = f"Event type '{readable}' is not in the catalogue{hint}"
    raise UnknownEventType(detail, faults=[Fault("/type", detail)])


def _count_tasks(event_id: UUID) -> int | None:
    find: Callable[[UUID], list[dict[str, object]] | None] = import_string(
        settings.TICKHOOK_FINAL_EXECUTIONS
    )
    final = find(event_id)
    if final is None:
        return None
    return sum(execution["task_id"] is not None for execution in final)


def _find_first(event: NewEvent) -> UUID:
    """Return the id of the first event with this key.

    Raises IdempotencyKeyConflict if it differs in the data that retention has kept.
    """
    first = find_known([event.dedupe_key])[event.dedupe_key]
    if first.type is not None and first.type != event.type:
        raise IdempotencyKeyConflict
    if first.body is not None and json.loads(first.body) != json.loads(event.body):
        raise IdempotencyKeyConflict
    return first.event_id


def _with_cause(event: NewEvent, cause_id: UUID | None) -> NewEvent:
    """Return the event one step deeper than its cause, with the same correlation."""
    cause = current_cause()
    if cause_id is not None:
        rows = Event.objects.filter(pk=cause_id).values("depth", "correlation_id")
        if (found := rows.first()) is None:
            raise UnknownCause
        cause = Cause(event_id=cause_id, **found)
    if cause is None:
        return event
    return replace(
        event,
        cause_id=cause.event_id,
        depth=cause.depth + 1,
        correlation_id=cause.correlation_id,
    )


def is_reserved_namespace(name: str) -> bool:
    """Return whether Tickhook or the catalogue has event types in a namespace.

    A webhook type must not use such a name: otherwise a trigger for `invoice.*` would
    also receive events of that sender.
    """
    if name in INTERNAL_NAMESPACES:
        return True
    named = Q(name__iexact=name) | Q(name__istartswith=f"{name}.")
    return EventType.objects.filter(named).exists()
