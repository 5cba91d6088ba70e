"""Steps of tests about runs that get in each other's way."""

from __future__ import annotations

from agents.models import OPEN_TASK_STATUSES, AgentTask, TaskStatus
from agents.services.run import claim_task, finish_task
from events.models import Event
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.factories import record
from triggers.models import Trigger


def come(trigger: Trigger) -> Event:
    """Let an event come for a trigger, and be worked."""
    event = record(trigger_id=trigger.id)
    drain()
    return event


def under_way(trigger: Trigger) -> list[AgentTask]:
    """The trigger's tasks that have not ended and are not held."""
    rows = AgentTask.objects.filter(
        concurrency_key=trigger.id,
        status__in=OPEN_TASK_STATUSES,
        next_attempt_at__isnull=False,
    )
    return list(rows.order_by("id"))


def finish(task: AgentTask, status: TaskStatus = TaskStatus.SUCCEEDED) -> None:
    """Let an agent do a task that was handed over."""
    claimed = claim_task(task_id=task.id)
    assert claimed is not None
    assert finish_task(task=claimed, status=status)


def history(trigger: Trigger) -> list[str]:
    """What became of the trigger's events, in their order."""
    rows = TriggerExecution.objects.filter(trigger=trigger).order_by("event_id")
    found = rows.values_list("status", "reason")
    return [f"{status}: {reason}" if reason else status for status, reason in found]
