"""What became of one occurrence, by what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from executions.models import OPEN_STATUSES, ExecutionStatus
from executions.pipeline.outcome import Reason
from triggers.services.schedule_history import Planned

_OVERDUE_AFTER = timedelta(seconds=60)


class Verdict(StrEnum):
    FIRED = "fired"
    SKIPPED = "skipped"
    MISSED = "missed"
    WAITING = "waiting"
    UNACCOUNTED = "unaccounted"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """The event of an occurrence: its own, or that of the missed range it lies in."""

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
class Facts:
    """What is known of an instant; `planned` is empty where only an event tells of it.

    Unclaimed is what the trigger's next run says is still to come.
    """

    at: datetime
    now: datetime
    planned: Planned | None
    event: RecordedEvent | None
    missed: RecordedEvent | None
    execution: ExecutionFacts | None
    is_unclaimed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger."""

    scheduled_for: datetime
    due_at: datetime | None
    status: Verdict = Verdict.UNACCOUNTED
    reason: str = ""
    event_id: UUID | None = None
    execution_id: UUID | None = None
    execution_status: str | None = None
    task_id: UUID | None = None
    task_status: str | None = None
    fired_at: datetime | None = None
    lateness_seconds: float | None = None
    note: str = ""


def judge_occurrence(facts: Facts) -> Entry:
    due_at = facts.planned.due_at if facts.planned else None
    entry = Entry(scheduled_for=facts.at, due_at=due_at)
    if facts.execution is not None:
        entry = _with_execution(entry, facts.execution)
    if facts.event is not None:
        return _by_event(entry, facts, facts.event)
    if facts.missed is not None:
        return _by_missed(entry, facts, facts.missed)
    return _by_plan(entry, facts)


def _with_execution(entry: Entry, execution: ExecutionFacts) -> Entry:
    return replace(
        entry,
        reason=execution.reason,
        execution_id=execution.id,
        execution_status=execution.status,
        task_id=execution.task_id,
        task_status=execution.task_status,
    )


def _by_event(entry: Entry, facts: Facts, event: RecordedEvent) -> Entry:
    late = (event.received_at - facts.at).total_seconds()
    entry = replace(
        entry,
        event_id=event.id,
        fired_at=event.received_at,
        lateness_seconds=round(max(late, 0.0), 3),
        note="a backfill" if event.type == "schedule.backfill" else "",
    )
    if facts.execution is not None:
        return replace(entry, status=_by_execution(facts.execution))
    return _without_execution(entry, event)


def _by_missed(entry: Entry, facts: Facts, missed: RecordedEvent) -> Entry:
    entry = replace(entry, event_id=missed.id)
    if facts.execution is None:
        return _without_execution(entry, missed)
    return replace(entry, status=Verdict.MISSED, reason=Reason.MISSED.value)


def _without_execution(entry: Entry, event: RecordedEvent) -> Entry:
    if event.is_in_inbox:
        return replace(entry, status=Verdict.WAITING)
    return replace(entry, note="its event has no execution")


def _by_execution(execution: ExecutionFacts) -> Verdict:
    if execution.status in OPEN_STATUSES:
        return Verdict.WAITING
    if execution.status == ExecutionStatus.CANCELLED:  # before it had a run
        return Verdict.SKIPPED
    if execution.status != ExecutionStatus.SKIPPED:
        return Verdict.FIRED
    is_missed = execution.reason == Reason.MISSED
    return Verdict.MISSED if is_missed else Verdict.SKIPPED


def _by_plan(entry: Entry, facts: Facts) -> Entry:
    if facts.planned is not None and facts.planned.skip_reason is not None:
        reason = facts.planned.skip_reason.value
        return replace(entry, status=Verdict.SKIPPED, reason=reason)
    if not facts.is_unclaimed:
        return replace(entry, note="there is no event of it")
    is_overdue = entry.due_at and facts.now - entry.due_at > _OVERDUE_AFTER
    note = "overdue: no clock has claimed it yet" if is_overdue else ""
    return replace(entry, status=Verdict.WAITING, note=note)
