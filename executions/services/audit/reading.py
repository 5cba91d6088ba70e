"""Reads what the ledger judges by, each with one query however long the range is."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.expressions import RawSQL

from events.models import Event, EventSource, Inbox
from executions.models import TriggerExecution
from executions.services.audit.verdict import ExecutionFacts, RecordedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedRange:
    first: datetime
    last: datetime
    event: RecordedEvent


def read_occurrences(
    trigger_id: UUID, since: datetime, until: datetime, *, limit: int
) -> dict[datetime, RecordedEvent]:
    """Return the events of a trigger's instants, the first `limit` of a range."""
    events = _events(trigger_id).filter(
        source=EventSource.SCHEDULE, replay_of=None, scheduled_for__range=(since, until)
    )
    rows = events.order_by("scheduled_for")[:limit]
    return {row.scheduled_for: _recorded(row) for row in rows if row.scheduled_for}


def read_missed(
    trigger_id: UUID, *, received_since: datetime, limit: int
) -> list[MissedRange]:
    """Return the ranges that were recorded as missed; they do not overlap."""
    events = _events(trigger_id).filter(
        type="schedule.missed", replay_of=None, received_at__gte=received_since
    )
    rows = events.only("type", "received_at", "body").order_by("received_at")[:limit]
    return sorted(map(_range, rows), key=lambda missed: missed.first)


def find_missed(ranges: Sequence[MissedRange], at: datetime) -> RecordedEvent | None:
    """Return the event of the range that an instant lies in; they are in order."""
    place = bisect_right(ranges, at, key=lambda missed: missed.first)
    if place == 0 or ranges[place - 1].last < at:
        return None
    return ranges[place - 1].event


def read_executions(
    trigger_id: UUID, event_ids: Iterable[UUID]
) -> dict[UUID, ExecutionFacts]:
    """Return what became of events for a trigger, by the event's id."""
    wanted = RawSQL("SELECT unnest(%s::uuid[])", [list(event_ids)])
    rows = TriggerExecution.objects.filter(trigger_id=trigger_id, event_id__in=wanted)
    found = rows.values_list(
        "event_id", "id", "status", "reason", "task_id", "task__status"
    )
    return {
        event_id: ExecutionFacts(
            id=execution_id,
            status=status,
            reason=reason,
            task_id=task_id,
            task_status=task_status,
        )
        for event_id, execution_id, status, reason, task_id, task_status in found
    }


def _events(trigger_id: UUID) -> QuerySet[Event]:
    waits = Exists(Inbox.objects.filter(event_id=OuterRef("pk")))
    events = Event.objects.filter(trigger_id=trigger_id).annotate(is_in_inbox=waits)
    return events.only("type", "received_at", "scheduled_for")


def _recorded(row: Event) -> RecordedEvent:
    return RecordedEvent(
        id=row.pk,
        type=row.type,
        received_at=row.received_at,
        is_in_inbox=getattr(row, "is_in_inbox"),  # noqa: B009 - annotated
    )


def _range(row: Event) -> MissedRange:
    body = json.loads(bytes(row.body))
    return MissedRange(
        first=datetime.fromisoformat(body["from"]),
        last=datetime.fromisoformat(body["to"]),
        event=_recorded(row),
    )
