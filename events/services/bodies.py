"""Bodies of events. A replay has no body; retention and erasures remove them.

The stored body of an event is shorter than its `body_size` if it was removed.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.conf import settings
from django.db import connection

from common.errors import TickhookError
from events.models import Event

_HOLD = """
SELECT id FROM events_event WHERE id = ANY(%s) AND octet_length(body) = body_size
AND erased_at IS NULL ORDER BY id FOR KEY SHARE
"""


class BodyRemoved(TickhookError):
    """The body of this event is no longer stored."""

    code = "body_removed"
    http_status = 410

    def __init__(self) -> None:
        days = settings.EVENT_BODY_RETENTION_DAYS or settings.HISTORY_RETENTION_DAYS
        kept = f": bodies are kept for {days} days" if days else ""
        super().__init__(f"The body of this event was removed{kept}.")


class BodyErased(BodyRemoved):
    """The body of this event was erased, with all that is stored of its subject."""

    code = "body_erased"

    def __init__(self) -> None:
        TickhookError.__init__(self)


def removed(event_id: UUID | None) -> BodyRemoved:
    """Return the error that says why the body of an event is not stored."""
    erased = Event.objects.filter(erased_at__isnull=False)
    is_erased = event_id is not None and erased.filter(pk=event_id).exists()
    return BodyErased() if is_erased else BodyRemoved()


def is_stored(event: Event) -> bool:
    """Return whether an event, not a replay, still has its body."""
    return len(event.body) == event.body_size


def read_body(event: Event) -> bytes:
    """Return the body of an event, or of the event it replays; raise BodyRemoved."""
    source: Event | None = event
    if event.replay_of:
        source = Event.objects.filter(pk=event.replay_of).first()
    if source is None or not is_stored(source):
        raise removed(event.replay_of or event.pk)
    return bytes(source.body)


def hold_bodies(event_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the events, none a replay, whose bodies are stored.

    Retention and erasures do not remove them before the caller's transaction ends,
    because they wait for the locks.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [list(event_ids)])
        return {row[0] for row in cursor.fetchall()}
