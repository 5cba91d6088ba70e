"""Steps of tests about overlapping runs."""

from __future__ import annotations

from agents.models import OPEN_TASK_STATUSES, AgentTask, TaskStatus
from agents.services.run import claim_task, finish_task
from events.models import Event
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.factories import record
from triggers.models import Trigger


def deliver_event(trigger: Trigger) -> Event:
    """Record an event for a trigger and process it."""
    event = record(trigger_id=trigger.id)
    drain()
    return event


def under_way(trigger: Trigger) -> list[AgentTask]:
    """Return the trigger's open tasks that are not held back."""
    rows = AgentTask.objects.filter(
        concurrency_key=trigger.id,
        status__in=OPEN_TASK_STATUSES,
        next_attempt_at__isnull=False,
    )
    return list(rows.order_by("id"))


def finish(task: AgentTask, status: TaskStatus = TaskStatus.SUCCEEDED) -> None:
    """Run a submitted task as an agent does."""
    claimed = claim_task(task_id=task.id)
    assert claimed is not None
    assert finish_task(task=claimed, status=status)


def history(trigger: Trigger) -> list[str]:
    """Return the results of the trigger's events, in their order."""
    rows = TriggerExecution.objects.filter(trigger=trigger).order_by("event_id")
    found = rows.values_list("status", "reason")
    return [f"{status}: {reason}" if reason else status for status, reason in found]
