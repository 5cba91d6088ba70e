"""Starts runs that waited for the one before them, in the order of their events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from agents.services.run import busy_keys, cancel_tasks, release_tasks
from agents.services.submit import submit_tasks
from executions.models import WAITS_FOR_ITS_TURN, ExecutionStatus, TriggerExecution
from executions.pipeline.admission.lock import hold_admission
from executions.pipeline.matching import is_asked_for, was_active
from executions.pipeline.outcome import Reason
from triggers.models import Overlap, Trigger
from triggers.services.stats import Run, record_runs

LOOKED_AT = 500
MAX_DROPPED = 500
DROPPED = "Cancelled: its trigger was switched off while it waited"

_FROM_THE_FIRST = UUID(int=0)
_looked_up_to = _FROM_THE_FIRST

_FIRST = """
SELECT w.id FROM unnest(%s::uuid[]) AS v(id) CROSS JOIN LATERAL (
    SELECT e.id FROM executions_triggerexecution e
    WHERE e.trigger_id = v.id AND e.status = 'pending' AND e.reason = 'overlap'
    ORDER BY e.event_id LIMIT 1
) w
"""

# From trigger to trigger by the index, however many runs of each wait.
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
    WHERE id = ANY(%s) AND status = 'pending' ORDER BY id FOR NO KEY UPDATE
)
RETURNING id, execution_time_ms
"""


def start_waiting(trigger_ids: Collection[UUID]) -> int:
    """Start the next run of each trigger that has none under way; return how many.

    Where the policy is `allow` by now, nothing is in the way. Runs of a trigger that
    was switched off since they came are skipped instead. Any number may call this at
    once: one of them starts the next.
    """
    with transaction.atomic():
        hold_admission(trigger_ids)
        first = _first_waiting(_free(trigger_ids))
        ready = [execution for execution in first if _may_start(execution)]
        release_tasks([e.task_id for e in ready if e.task_id])
        task_ids = _end(ready, ExecutionStatus.SUCCESS)
        _drop([e.trigger_id for e in first if not _may_start(e)])
    submit_tasks(task_ids)
    return len(task_ids)


def start_left_waiting() -> int:
    """Start what waits though nothing is in its way; return how many.

    Looks at 500 triggers that have something waiting; the next call at the next 500.
    """
    global _looked_up_to
    found = _find_triggers(after=_looked_up_to)
    _looked_up_to = found[-1] if len(found) == LOOKED_AT else _FROM_THE_FIRST
    free = _free(found) if found else set()
    return start_waiting(free) if free else 0


def cancel_waiting(task_ids: Collection[UUID]) -> None:
    """End the executions that wait with these tasks, which were cancelled."""
    waiting = list(_waiting().filter(task_id__in=task_ids))
    _end(waiting, ExecutionStatus.CANCELLED, Reason.OVERLAP)


def _find_triggers(*, after: UUID) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_TRIGGERS, [after, LOOKED_AT])
        return [row[0] for row in cursor.fetchall()]


def _free(trigger_ids: Collection[UUID]) -> set[UUID]:
    """Return the triggers whose next run has nothing in its way."""
    allowing = Trigger.objects.filter(pk__in=trigger_ids, overlap=Overlap.ALLOW)
    busy = busy_keys(trigger_ids) - set(allowing.values_list("pk", flat=True))
    return set(trigger_ids) - busy


def _first_waiting(trigger_ids: Collection[UUID]) -> list[TriggerExecution]:
    with connection.cursor() as cursor:
        cursor.execute(_FIRST, [list(trigger_ids)])
        first = [row[0] for row in cursor.fetchall()]
    return list(_waiting().filter(pk__in=first)) if first else []


def _waiting() -> QuerySet[TriggerExecution]:
    rows = TriggerExecution.objects.filter(WAITS_FOR_ITS_TURN).order_by("event_id")
    return rows.select_related("trigger", "event").only(
        "task_id", "executed_at", "trigger__is_active", "trigger__active_since",
        "trigger__deleted_at", "trigger__count_task_failures", "event__type",
        "event__source", "event__received_at",
    )  # fmt: skip


def _may_start(execution: TriggerExecution) -> bool:
    """Whether its trigger stayed on; who asks for a run gets it anyway."""
    trigger, event = execution.trigger, execution.event
    is_there = trigger.deleted_at is None
    return is_there and (is_asked_for(event) or was_active(trigger, event))


def _drop(trigger_ids: Collection[UUID]) -> None:
    """Skip what waits for triggers that were switched off; the rest is left."""
    if not trigger_ids:
        return
    waiting = _waiting().filter(trigger_id__in=trigger_ids)[:MAX_DROPPED]
    dropped = [execution for execution in waiting if not _may_start(execution)]
    task_ids = _end(dropped, ExecutionStatus.SKIPPED, Reason.INACTIVE)
    cancel_tasks(task_ids=task_ids, error=DROPPED)


def _end(
    executions: Sequence[TriggerExecution],
    status: ExecutionStatus,
    reason: Reason | None = None,
) -> list[UUID]:
    """Take executions out of their wait and count them; return their tasks."""
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
