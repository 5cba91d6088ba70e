"""Functions that lower apps call through dotted paths in settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from agents.models import TaskStatus
from common.tasks import enqueue
from events.models import Inbox
from executions import tasks
from executions.models import OPEN_STATUSES, ExecutionStatus, TriggerExecution
from executions.services.outcomes import FAILURES, RunOutcome, run_outcome
from executions.services.waiting import cancel_waiting
from triggers.services.stats import count_failures, lock_stats, reset_failures

# A trigger that buffers is included even if no run waits: a run that a batch is about
# to hold back is not visible from here.
_FINISHED_RUNS = """
SELECT e.trigger_id, t.count_task_failures, s.consecutive_failures,
    t.overlap IN ('buffer_one', 'buffer_all') OR EXISTS (
        SELECT 1 FROM executions_triggerexecution w
        WHERE w.trigger_id = e.trigger_id
        AND w.status = 'pending' AND w.reason = 'overlap'
    )
FROM executions_triggerexecution e
JOIN triggers_trigger t ON t.id = e.trigger_id
JOIN triggers_triggerstats s ON s.trigger_id = t.id
WHERE e.task_id = ANY(%s)
"""


def find_final_executions(event_id: UUID) -> list[dict[str, object]] | None:
    """Return the executions of an event; None until all of them are final.

    They are sent to the event's sender: ids and statuses, no data of a trigger.
    """
    if Inbox.objects.filter(pk=event_id).exists():
        return None
    rows = TriggerExecution.objects.filter(event_id=event_id).order_by("id")
    executions = list(rows.only("trigger_id", "status", "reason", "task_id"))
    if any(execution.status in OPEN_STATUSES for execution in executions):
        return None
    return [
        {
            "execution_id": str(execution.pk),
            "trigger_id": str(execution.trigger_id),
            "status": execution.status,
            "reason": execution.reason,
            "task_id": str(execution.task_id) if execution.task_id else None,
        }
        for execution in executions
    ]


class _FinishedRun(NamedTuple):
    trigger_id: UUID
    counts: bool
    failures: int
    may_have_waiting: bool


def tasks_finished(*, task_ids: Sequence[UUID], status: TaskStatus) -> None:
    """Count the results of tasks for auto-disable, and start the runs that waited.

    `agents` calls it in the transaction that ends the tasks.
    """
    if status == TaskStatus.CANCELLED:
        cancel_waiting(task_ids)
    with connection.cursor() as cursor:
        cursor.execute(_FINISHED_RUNS, [list(task_ids)])
        runs = [_FinishedRun(*row) for row in cursor.fetchall()]
    _count([run for run in runs if run.counts], status)
    freed = {str(run.trigger_id) for run in runs if run.may_have_waiting}
    if freed:
        start = partial(enqueue, tasks.start_waiting, sorted(freed))
        transaction.on_commit(start, robust=True)


def _count(runs: Sequence[_FinishedRun], status: TaskStatus) -> None:
    outcome = run_outcome(ExecutionStatus.SUCCESS, status)
    if outcome in FAILURES:
        failed = Counter(run.trigger_id for run in runs)
        if len(failed) > 1:
            lock_stats(failed)
        for trigger_id in sorted(failed):
            count_failures(trigger_id, failures=failed[trigger_id])
    elif outcome == RunOutcome.SUCCEEDED:
        reset_failures([run.trigger_id for run in runs if run.failures])
