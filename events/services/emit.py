from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from uuid import UUID

from common.errors import Fault, InvalidInput
from common.fields import dump_json
from events.models import Event, EventSource, EventType
from events.services.record import NewEvent, dedupe_key, record_events


class UnknownEventType(InvalidInput):
    """The event type is not in the catalogue."""

    code = "unsupported_event_type"


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
    cause: Event | None = None,
) -> Emitted:
    """Record a domain event of the catalogue; raise UnknownEventType for others.

    Called again with the same subject and idempotency key it records nothing and
    returns the first event's id.
    """
    require_known_type(type)
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
        delivery_id=idempotency_key[:255],
        dedupe_key=key,
        **_caused_by(cause),
    )
    if record_events([event]):
        return Emitted(event_id=event.id, is_duplicate=False)
    first = Event.objects.values_list("id", flat=True).get(dedupe_key=key)
    return Emitted(event_id=first, is_duplicate=True)


def require_known_type(name: str) -> None:
    if EventType.objects.filter(name=name).exists():
        return
    close = get_close_matches(
        name, EventType.objects.values_list("name", flat=True), n=1
    )
    hint = f"; did you mean '{close[0]}'?" if close else ""
    detail = f"Event type '{name[:200]}' is not in the catalogue{hint}"
    raise UnknownEventType(detail, faults=[Fault("/type", detail)])


def _caused_by(cause: Event | None) -> dict[str, object]:
    if cause is None:
        return {}
    return {
        "cause_id": cause.id,
        "depth": cause.depth + 1,
        "correlation_id": cause.correlation_id,
    }
