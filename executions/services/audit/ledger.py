"""The ledger: what became of each occurrence that a trigger's schedule had.

Clocks and workers go on while it is read, so the order of reading matters: the trigger
before its history, that before the events, the inbox before the executions. What moves
meanwhile is seen at its later place, and nothing is seen at neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from common.database.sql import database_now
from executions.services.audit.reading import (
    find_missed,
    read_executions,
    read_missed,
    read_occurrences,
)
from executions.services.audit.verdict import (
    Entry,
    Facts,
    RecordedEvent,
    Verdict,
    judge_occurrence,
)
from executions.services.retention import history_horizon
from triggers.models import Trigger
from triggers.services.history import History, Planned, read_history
from triggers.services.lifecycle import TriggerNotFound

MAX_ENTRIES = 10_000
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One page of a trigger's ledger; where it is not complete, `next_from` goes on.

    History before `horizon` is, or may be, purged; None if all of it is stored.
    """

    trigger_id: UUID
    since: datetime
    until: datetime
    horizon: datetime | None
    is_clamped: bool
    next_from: datetime | None
    entries: Sequence[Entry]
    notes: Sequence[str]

    @property
    def is_complete(self) -> bool:
        return self.next_from is None

    def counts(self) -> Mapping[str, int]:
        found = Counter(entry.status for entry in self.entries)
        return {verdict.value: found[verdict] for verdict in Verdict}

    def unaccounted(self) -> list[datetime]:
        return [
            e.scheduled_for for e in self.entries if e.status == Verdict.UNACCOUNTED
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """The instants to judge: what was planned, and what there are events of."""

    instants: Sequence[datetime]
    planned: Mapping[datetime, Planned]
    events: Mapping[datetime, RecordedEvent]
    next_from: datetime | None


def audit_trigger(
    *, trigger_id: UUID, since: datetime, until: datetime, limit: int = MAX_ENTRIES
) -> Ledger:
    """Tell what became of each occurrence from `since` to `until`, oldest first.

    Neither the future is judged nor what is older than the history that is kept: a
    range of which all is older is an empty one.
    Raises TriggerNotFound.
    """
    now = database_now()
    trigger = Trigger.objects.present().filter(pk=trigger_id).first()
    if trigger is None:
        raise TriggerNotFound
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
        entries=_judge_all(page, trigger, history, now),
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


def _judge_all(
    page: _Page, trigger: Trigger, history: History, now: datetime
) -> list[Entry]:
    if not page.instants:
        return []
    # A range is recorded after all that it covers was due, and covers one at least.
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
        judge_occurrence(
            Facts(
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
