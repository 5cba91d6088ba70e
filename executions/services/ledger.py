"""The ledger: what happened to each scheduled occurrence of a trigger.

Clocks and workers continue while the ledger is read, so the order of the queries
matters: the trigger before its history, the history before the events, the inbox before
the executions. A row that moves meanwhile is seen in its later place, and no row is
missed in both.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.expressions import RawSQL

from common.database.sql import database_now
from events.models import Event, EventSource, Inbox
from executions.models import TriggerExecution
from executions.services.ledger_entries import (
    ExecutionFacts,
    LedgerEntry,
    OccurrenceFacts,
    OccurrenceStatus,
    RecordedEvent,
    classify_occurrence,
)
from executions.services.retention.state import history_horizon
from executions.services.run import find_trigger
from triggers.models import Trigger
from triggers.services.schedule_history import History, Planned, read_history
from triggers.services.scheduling import SCHEDULE_MISSED

MAX_ENTRIES = 10_000
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One page of a trigger's ledger; `next_from` is the start of the next page.

    History before `horizon` may be purged; None if all of it is stored.
    """

    trigger_id: UUID
    since: datetime
    until: datetime
    horizon: datetime | None
    is_clamped: bool
    next_from: datetime | None
    entries: Sequence[LedgerEntry]
    notes: Sequence[str]

    @property
    def is_complete(self) -> bool:
        return self.next_from is None

    def counts(self) -> Mapping[str, int]:
        found = Counter(entry.status for entry in self.entries)
        return {status.value: found[status] for status in OccurrenceStatus}

    def unaccounted(self) -> list[datetime]:
        unaccounted = OccurrenceStatus.UNACCOUNTED
        return [e.scheduled_for for e in self.entries if e.status == unaccounted]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """The instants of a page: those that were planned, and those that have an event."""

    instants: Sequence[datetime]
    planned: Mapping[datetime, Planned]
    events: Mapping[datetime, RecordedEvent]
    next_from: datetime | None


def read_ledger(
    *, trigger_id: UUID, since: datetime, until: datetime, limit: int = MAX_ENTRIES
) -> Ledger:
    """Return an entry for each occurrence from `since` to `until`, oldest first.

    The future and purged history are left out; the page of a range that is purged
    altogether is empty. Raises TriggerNotFound.
    """
    now, trigger = database_now(), find_trigger(trigger_id)
    horizon = history_horizon(now)
    is_clamped = horizon is not None and since < horizon
    since, until = max(since, horizon or since), min(until, now)
    history = read_history(trigger, since, until)
    page = _read_page(trigger.id, history, since, limit)
    is_cut = page.next_from is None and history.until < until
    return Ledger(
        trigger_id=trigger.id,
        since=min(since, until),
        until=until,
        horizon=horizon,
        is_clamped=is_clamped,
        next_from=history.until + _INSTANT if is_cut else page.next_from,
        entries=_classify_all(page, trigger, history, now),
        notes=list(history.faults()),
    )


def _read_page(
    trigger_id: UUID, history: History, since: datetime, limit: int
) -> _Page:
    occurrences = islice(history.occurrences(since), limit + 1)
    planned = {occurrence.at: occurrence for occurrence in occurrences}
    events = read_occurrences(trigger_id, since, history.until, limit=limit + 1)
    instants = sorted(planned.keys() | events.keys())
    return _Page(
        instants=instants[:limit],
        planned=planned,
        events=events,
        next_from=instants[limit] if len(instants) > limit else None,
    )


def _classify_all(
    page: _Page, trigger: Trigger, history: History, now: datetime
) -> list[LedgerEntry]:
    if not page.instants:
        return []
    # A missed range covers at least one instant, recorded after its last was due.
    ranges = read_missed(
        trigger.id,
        received_since=page.instants[0] + history.least_jitter(),
        limit=len(page.instants) + MAX_ENTRIES,
    )
    missed = {at: find_missed(ranges, at) for at in page.instants}
    by_instant = {at: page.events.get(at) or missed[at] for at in page.instants}
    event_ids = {event.id for event in by_instant.values() if event}
    executions = read_executions(trigger.id, event_ids)
    unclaimed = trigger.next_scheduled_for
    return [
        classify_occurrence(
            OccurrenceFacts(
                at=at,
                now=now,
                planned=page.planned.get(at),
                event=page.events.get(at),
                missed=missed[at],
                execution=executions.get(event.id) if event else None,
                is_unclaimed=unclaimed is not None and at >= unclaimed,
            )
        )
        for at, event in by_instant.items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedRange:
    first: datetime
    last: datetime
    event: RecordedEvent


def read_occurrences(
    trigger_id: UUID, since: datetime, until: datetime, *, limit: int
) -> dict[datetime, RecordedEvent]:
    """Return the events of a trigger's scheduled instants, the first `limit`."""
    events = _events(trigger_id).filter(
        source=EventSource.SCHEDULE, replay_of=None, scheduled_for__range=(since, until)
    )
    rows = events.order_by("scheduled_for")[:limit]
    return {row.scheduled_for: _recorded(row) for row in rows if row.scheduled_for}


def read_missed(
    trigger_id: UUID, *, received_since: datetime, limit: int
) -> list[MissedRange]:
    """Return the ranges recorded as missed, in order; they do not overlap."""
    events = _events(trigger_id).filter(
        type=SCHEDULE_MISSED, replay_of=None, received_at__gte=received_since
    )
    rows = events.only("type", "received_at", "body").order_by("received_at")[:limit]
    return sorted(map(_range, rows), key=lambda missed: missed.first)


def find_missed(ranges: Sequence[MissedRange], at: datetime) -> RecordedEvent | None:
    """Return the event of the range that contains an instant, if there is one."""
    place = bisect_right(ranges, at, key=lambda missed: missed.first)
    if place == 0 or ranges[place - 1].last < at:
        return None
    return ranges[place - 1].event


def read_executions(
    trigger_id: UUID, event_ids: Iterable[UUID]
) -> dict[UUID, ExecutionFacts]:
    """Return the executions of a trigger for these events, by the event's id."""
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
