from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from agents.models import TaskStatus
from common.tasks import enqueue
from executions import tasks
from executions.services.waiting import cancel_waiting
from triggers.services.stats import count_failures, lock_stats, reset_failures

_FAILED = (TaskStatus.FAILED, TaskStatus.TIMEOUT)

# A trigger that buffers is looked at even if nothing is seen to wait: what a batch is
# about to hold back can't be seen from here.
_FATES = """
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


class _Fate(NamedTuple):
    trigger_id: UUID
    counts: bool
    failures: int
    has_waiting: bool


def tasks_finished(*, task_ids: Sequence[UUID], status: TaskStatus) -> None:
    """Let the fate of tasks count towards auto-disable, and the next runs start.

    Called by `agents` in the transaction that ends the tasks.
    """
    if status == TaskStatus.CANCELLED:
        cancel_waiting(task_ids)
    fates = _fates_of(task_ids)
    _count([fate for fate in fates if fate.counts], status)
    freed = {str(fate.trigger_id) for fate in fates if fate.has_waiting}
    if freed:
        start = partial(enqueue, tasks.start_waiting, sorted(freed))
        transaction.on_commit(start, robust=True)


def _fates_of(task_ids: Sequence[UUID]) -> list[_Fate]:
    with connection.cursor() as cursor:
        cursor.execute(_FATES, [list(task_ids)])
        return [_Fate(*row) for row in cursor.fetchall()]


def _count(fates: Sequence[_Fate], status: TaskStatus) -> None:
    if status in _FAILED:
        failed = Counter(fate.trigger_id for fate in fates)
        if len(failed) > 1:
            lock_stats(failed)
        for trigger_id in sorted(failed):
            count_failures(trigger_id, failures=failed[trigger_id])
    elif status == TaskStatus.SUCCEEDED:
        reset_failures([fate.trigger_id for fate in fates if fate.failures])
