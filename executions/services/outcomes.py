from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from agents.models import TaskStatus
from executions.models import TriggerExecution
from triggers.services.stats import count_failures, reset_failures

_COUNTED = (TaskStatus.FAILED, TaskStatus.TIMEOUT)


def task_finished(*, task_ids: Sequence[UUID]) -> None:
    """Let the fate of tasks count towards their triggers' auto-disable.

    Called by `agents` in the transaction that ends the tasks.
    """
    ended = TriggerExecution.objects.filter(
        task_id__in=task_ids, trigger__count_task_failures=True
    ).order_by("trigger_id")
    for trigger_id, status in ended.values_list("trigger_id", "task__status"):
        if status in _COUNTED:
            count_failures(trigger_id, failures=1)
        elif status == TaskStatus.SUCCEEDED:
            reset_failures([trigger_id])
