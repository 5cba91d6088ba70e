"""Starts runs that waited for the previous run, in the order of their events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from agents.services.run import busy_keys, cancel_tasks, release_tasks
from agents.services.submit import submit_tasks
from executions.models import (
    OPEN_STATUSES,
    WAITS_FOR_ITS_TURN,
    ExecutionStatus,
    Reason,
    TriggerExecution,
)
from executions.pipeline.admit import lock_admission
from executions.pipeline.match import is_requested, was_active
from triggers.models import Overlap, Trigger
from triggers.services.stats import Run, record_runs

MAX_TRIGGERS = 500
MAX_SKIPPED = 500
SKIPPED = "Cancelled: its trigger was disabled while it waited"
BY_PERSON = "Cancelled by a person"

_BEFORE_ALL = UUID(int=0)
_checked_up_to = _BEFORE_ALL

_FIRST = """
SELECT w.id FROM unnest(%s::uuid[]) AS v(id) CROSS JOIN LATERAL (
    SELECT e.id FROM executions_triggerexecution e
    WHERE e.trigger_id = v.id AND e.status = 'pending' AND e.reason = 'overlap'
    ORDER BY e.event_id LIMIT 1
) w
"""

# One step of the index per trigger, however many runs of it wait.
_TRIGGERS = """
WITH RECURSIVE waiting AS (
    (
        SELECT trigger_id FROM executions_triggerexecution
        WHERE status = 'pending' AND reason = 'overlap' AND trigger_id > %s
        ORDER BY trigger_id LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT e.trigger_id FROM executions_triggerexecution e
        WHERE e.status = 'pending' AND e.reason = 'overlap'
        AND e.trigger_id > w.trigger_id
        ORDER BY e.trigger_id LIMIT 1
    )
    FROM waiting w WHERE w.trigger_id IS NOT NULL
)
SELECT trigger_id FROM waiting WHERE trigger_id IS NOT NULL LIMIT %s
"""

_END = """
UPDATE executions_triggerexecution SET status = %s, reason = %s,
    execution_time_ms = greatest(0, least(2147483647,
        extract(epoch FROM statement_timestamp() - executed_at) * 1000))
WHERE id IN (
    SELECT id FROM executions_triggerexecution
    WHERE id = ANY(%s) AND status IN ('pending', 'running')
    ORDER BY id FOR NO KEY UPDATE
)
RETURNING id, execution_time_ms
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """How many executions and tasks were open and are cancelled."""

    executions: int
    tasks: int


def start_waiting(trigger_ids: Collection[UUID]) -> int:
    """Start the next run of each trigger that has none under way; return how many.

    If the policy was changed to `allow`, a run under way does not matter. If the
    trigger was disabled since an event arrived, its run is skipped. If several workers
    call this at once, exactly one of them starts the next run.
    """
    with transaction.atomic():
        lock_admission(trigger_ids)
        with connection.cursor() as cursor:
            cursor.execute(_FIRST, [list(_unblocked(trigger_ids))])
            ids = [row[0] for row in cursor.fetchall()]
        first = list(_waiting().filter(pk__in=ids)) if ids else []
        ready = [execution for execution in first if _may_start(execution)]
        release_tasks([e.task_id for e in ready if e.task_id])
        task_ids = _end(ready, ExecutionStatus.SUCCESS)
        _skip_inactive([e.trigger_id for e in first if not _may_start(e)])
    submit_tasks(task_ids)
    return len(task_ids)


def start_unblocked() -> int:
    """Start runs that wait although no run is under way; return how many.

    One call checks 500 triggers that have waiting runs, the next call the next 500.
    """
    global _checked_up_to
    with connection.cursor() as cursor:
        cursor.execute(_TRIGGERS, [_checked_up_to, MAX_TRIGGERS])
        found = [row[0] for row in cursor.fetchall()]
    _checked_up_to = found[-1] if len(found) == MAX_TRIGGERS else _BEFORE_ALL
    unblocked = _unblocked(found) if found else set()
    return start_waiting(unblocked) if unblocked else 0


def cancel_waiting(task_ids: Collection[UUID]) -> None:
    """End the waiting executions of these tasks, which were cancelled."""
    waiting = list(_waiting().filter(task_id__in=task_ids))
    _end(waiting, ExecutionStatus.CANCELLED, Reason.OVERLAP)


def cancel_by_person(*, execution_ids: Collection[UUID]) -> Cancelled:
    """Cancel those of the executions that are open, and all of their open tasks.

    A worker that runs one of the tasks is not stopped, but its result is rejected.
    """
    found = TriggerExecution.objects.filter(pk__in=list(execution_ids))
    open_ = found.filter(status__in=OPEN_STATUSES)
    with transaction.atomic():
        lock_admission(set(open_.values_list("trigger_id", flat=True)))
        executions = list(_with_facts(open_))
        _end(executions, ExecutionStatus.CANCELLED, Reason.BY_PERSON)
        task_ids = found.filter(task__isnull=False).values_list("task_id", flat=True)
        tasks = cancel_tasks(task_ids=list(task_ids), error=BY_PERSON)
    return Cancelled(executions=len(executions), tasks=len(tasks))


def _unblocked(trigger_ids: Collection[UUID]) -> set[UUID]:
    """Return the triggers whose next run may start now."""
    allowing = Trigger.objects.filter(pk__in=trigger_ids, overlap=Overlap.ALLOW)
    busy = busy_keys(trigger_ids) - set(allowing.values_list("pk", flat=True))
    return set(trigger_ids) - busy


def _waiting() -> QuerySet[TriggerExecution]:
    return _with_facts(TriggerExecution.objects.filter(WAITS_FOR_ITS_TURN))


def _with_facts(rows: QuerySet[TriggerExecution]) -> QuerySet[TriggerExecution]:
    """Return executions in event order, with the columns that their end needs."""
    return rows.order_by("event_id").select_related("trigger", "event").only(
        "task_id", "executed_at", "trigger__is_active", "trigger__active_since",
        "trigger__deleted_at", "trigger__count_task_failures", "event__type",
        "event__source", "event__received_at",
    )  # fmt: skip


def _may_start(execution: TriggerExecution) -> bool:
    """Return whether the trigger stayed active, or a person requested the run."""
    trigger, event = execution.trigger, execution.event
    if trigger.deleted_at is not None:
        return False
    return is_requested(event) or was_active(trigger, event)


def _skip_inactive(trigger_ids: Collection[UUID]) -> None:
    """Skip the waiting runs of disabled triggers; those that may start are kept."""
    if not trigger_ids:
        return
    waiting = _waiting().filter(trigger_id__in=trigger_ids)[:MAX_SKIPPED]
    skipped = [execution for execution in waiting if not _may_start(execution)]
    task_ids = _end(skipped, ExecutionStatus.SKIPPED, Reason.INACTIVE)
    cancel_tasks(task_ids=task_ids, error=SKIPPED)


def _end(
    executions: Sequence[TriggerExecution],
    status: ExecutionStatus,
    reason: Reason | None = None,
) -> list[UUID]:
    """End open executions and count them; return their tasks."""
    if not executions:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_END, [status, reason or "", [e.pk for e in executions]])
        elapsed = dict(cursor.fetchall())
    ended = [execution for execution in executions if execution.pk in elapsed]
    record_runs(
        [
            Run(
                trigger=execution.trigger,
                is_success=status == ExecutionStatus.SUCCESS,
                is_failure=False,
                is_skipped=status == ExecutionStatus.SKIPPED,
                executed_at=execution.executed_at,
                execution_time_ms=elapsed[execution.pk],
            )
            for execution in ended
        ]
    )
    return [e.task_id for e in ended if e.task_id]
