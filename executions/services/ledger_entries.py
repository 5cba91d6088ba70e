"""Classifies one scheduled occurrence from its event and its execution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from executions.models import OPEN_STATUSES, ExecutionStatus, Reason
from triggers.services.schedule_history import Planned
from triggers.services.scheduling import SCHEDULE_BACKFILL

_OVERDUE_AFTER = timedelta(seconds=60)


class OccurrenceStatus(StrEnum):
    FIRED = "fired"
    SKIPPED = "skipped"
    MISSED = "missed"
    WAITING = "waiting"
    UNACCOUNTED = "unaccounted"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """The event of an occurrence: its own, or that of the missed range around it."""

    id: UUID
    type: str
    received_at: datetime
    is_in_inbox: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFacts:
    id: UUID
    status: str
    reason: str
    task_id: UUID | None
    task_status: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OccurrenceFacts:
    """The stored facts of an instant; `planned` is None if only an event names it.

    An instant is unclaimed from the trigger's next run on: a clock has yet to claim it.
    """

    at: datetime
    now: datetime
    planned: Planned | None
    event: RecordedEvent | None
    missed: RecordedEvent | None
    execution: ExecutionFacts | None
    is_unclaimed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One line of the ledger."""

    scheduled_for: datetime
    due_at: datetime | None
    status: OccurrenceStatus = OccurrenceStatus.UNACCOUNTED
    reason: str = ""
    event_id: UUID | None = None
    execution_id: UUID | None = None
    execution_status: str | None = None
    task_id: UUID | None = None
    task_status: str | None = None
    fired_at: datetime | None = None
    lateness_seconds: float | None = None
    note: str = ""


def classify_occurrence(facts: OccurrenceFacts) -> LedgerEntry:
    due_at = facts.planned.due_at if facts.planned else None
    entry = LedgerEntry(scheduled_for=facts.at, due_at=due_at)
    if facts.execution is not None:
        entry = _with_execution(entry, facts.execution)
    if facts.event is not None:
        return _by_event(entry, facts, facts.event)
    if facts.missed is None:
        return _by_plan(entry, facts)
    entry = replace(entry, event_id=facts.missed.id)
    if facts.execution is None:
        return _without_execution(entry, facts.missed)
    return replace(entry, status=OccurrenceStatus.MISSED, reason=Reason.MISSED.value)


def _with_execution(entry: LedgerEntry, execution: ExecutionFacts) -> LedgerEntry:
    return replace(
        entry,
        reason=execution.reason,
        execution_id=execution.id,
        execution_status=execution.status,
        task_id=execution.task_id,
        task_status=execution.task_status,
    )


def _by_event(
    entry: LedgerEntry, facts: OccurrenceFacts, event: RecordedEvent
) -> LedgerEntry:
    late = (event.received_at - facts.at).total_seconds()
    entry = replace(
        entry,
        event_id=event.id,
        fired_at=event.received_at,
        lateness_seconds=round(max(late, 0.0), 3),
        note="a backfill" if event.type == SCHEDULE_BACKFILL else "",
    )
    if facts.execution is not None:
        return replace(entry, status=_by_execution(facts.execution))
    return _without_execution(entry, event)


def _without_execution(entry: LedgerEntry, event: RecordedEvent) -> LedgerEntry:
    if event.is_in_inbox:
        return replace(entry, status=OccurrenceStatus.WAITING)
    return replace(entry, note="the event has no execution")


def _by_execution(execution: ExecutionFacts) -> OccurrenceStatus:
    if execution.status in OPEN_STATUSES:
        return OccurrenceStatus.WAITING
    if execution.status == ExecutionStatus.CANCELLED:  # before it had a run
        return OccurrenceStatus.SKIPPED
    if execution.status != ExecutionStatus.SKIPPED:
        return OccurrenceStatus.FIRED
    is_missed = execution.reason == Reason.MISSED
    return OccurrenceStatus.MISSED if is_missed else OccurrenceStatus.SKIPPED


def _by_plan(entry: LedgerEntry, facts: OccurrenceFacts) -> LedgerEntry:
    if facts.planned is not None and facts.planned.skip_reason is not None:
        reason = facts.planned.skip_reason.value
        return replace(entry, status=OccurrenceStatus.SKIPPED, reason=reason)
    if not facts.is_unclaimed:
        return replace(entry, note="there is no event")
    is_overdue = entry.due_at and facts.now - entry.due_at > _OVERDUE_AFTER
    note = "overdue: no clock has claimed it yet" if is_overdue else ""
    return replace(entry, status=OccurrenceStatus.WAITING, note=note)
