"""One Celery task per hook, which reads and writes one row after the other."""

from __future__ import annotations

import operator
from typing import Any

from celery import shared_task
from django.utils import timezone

from benchmarks.naive.models import Hook, HookExecution, HookTask, HookTrigger

OPERATORS = {"eq": operator.eq, "gt": operator.gt, "lt": operator.lt}


@shared_task
def process_hook(hook_id: int) -> None:
    hook = Hook.objects.get(pk=hook_id)
    triggers = HookTrigger.objects.filter(is_active=True, event_type=hook.event_type)
    for trigger in triggers:
        execute(trigger, hook)


def execute(trigger: HookTrigger, hook: Hook) -> None:
    if not is_met(trigger.condition, hook.payload):
        HookExecution.objects.create(trigger=trigger, hook=hook, status="skipped")
        return
    execution = HookExecution.objects.create(
        trigger=trigger, hook=hook, status="success"
    )
    parameters = {"body": hook.payload, "headers": hook.headers}
    task = HookTask.objects.create(execution=execution, parameters=parameters)
    trigger.execution_count += 1
    trigger.last_execution_at = timezone.now()
    trigger.save(update_fields=["execution_count", "last_execution_at"])
    run_agent.delay(task.pk)


def is_met(condition: dict[str, Any], payload: Any) -> bool:
    """Evaluate `{"field": "a.b", "operator": "eq", "value": …}` for a payload."""
    actual = payload
    for name in condition["field"].split("."):
        actual = actual.get(name) if isinstance(actual, dict) else None
    return bool(OPERATORS[condition["operator"]](actual, condition["value"]))


@shared_task
def run_agent(task_id: int) -> None:
    task = HookTask.objects.get(pk=task_id)
    task.status, task.started_at = "running", timezone.now()
    task.save(update_fields=["status", "started_at"])
    task.status, task.finished_at = "succeeded", timezone.now()
    task.save(update_fields=["status", "finished_at"])
