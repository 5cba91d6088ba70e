from __future__ import annotations

from uuid import UUID

from django.db import connection

from agents.models import TaskStatus
from triggers.services.stats import count_failures, reset_failures

_FAILED = (TaskStatus.FAILED, TaskStatus.TIMEOUT)

_TRIGGER_AND_FAILURES = """
SELECT s.trigger_id, s.consecutive_failures FROM executions_triggerexecution e
JOIN triggers_trigger t ON t.id = e.trigger_id
JOIN triggers_triggerstats s ON s.trigger_id = t.id
WHERE e.task_id = %s AND t.count_task_failures
"""


def task_finished(*, task_id: UUID, status: TaskStatus) -> None:
    """Let the fate of a task count towards its trigger's auto-disable.

    Called by `agents` in the transaction that ends the task.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TRIGGER_AND_FAILURES, [task_id])
        found = cursor.fetchone()
    if found is None:
        return
    trigger_id, failures = found
    if status in _FAILED:
        count_failures(trigger_id, failures=1)
    elif status == TaskStatus.SUCCEEDED and failures:
        reset_failures([trigger_id])
