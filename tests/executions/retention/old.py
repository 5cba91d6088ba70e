"""Rows of the past for tests of the purge."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.models import AgentTask, TaskStatus
from agents.services.submit import create_tasks
from common.ids import first_id_at, uuid7
from events.models import Event, Inbox
from events.services.record import record_events
from executions.models import ExecutionStatus, ExecutionTrace, TriggerExecution
from executions.services.retention.purge import Purge, purge_history
from tests.factories import make_listener, new_event, new_task
from triggers.models import Trigger


def id_of(*, days: float) -> UUID:
    """Return a new id from the given number of days ago."""
    moment = first_id_at(timezone.now() - timedelta(days=days))
    return UUID(int=moment.int | uuid7().int & (1 << 80) - 1)


def days_ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def make_event(*, days: float, is_waiting: bool = False, **fields: Any) -> Event:
    """Store an event of the past, outside the inbox unless it waits."""
    event = new_event(id=id_of(days=days), **fields)
    record_events([event])
    if not is_waiting:
        Inbox.objects.filter(pk=event.id).delete()
    return Event.objects.get(pk=event.id)


def make_execution(
    event: Event,
    *,
    trigger: Trigger | None = None,
    status: str = ExecutionStatus.SUCCESS,
    task: str | None = TaskStatus.SUCCEEDED,
    ended_days_ago: float = 100,
    **fields: Any,
) -> TriggerExecution:
    """Store an execution with a trace and, unless `task` is None, a task."""
    trigger = trigger or make_listener()
    execution_id = UUID(int=event.pk.int + 1)
    execution = TriggerExecution.objects.create(
        id=execution_id,
        trigger=trigger,
        event=event,
        status=status,
        executed_at=event.received_at,
        trigger_version=1,
        task=_task(trigger, event, task, ended_days_ago) if task else None,
        **fields,
    )
    ExecutionTrace.objects.create(execution=execution, trace={"met": True})
    return execution


def _task(trigger: Trigger, event: Event, status: str, days: float) -> AgentTask:
    task = new_task(trigger.agent, id=UUID(int=event.pk.int + 2))
    create_tasks([task])
    AgentTask.objects.filter(pk=task.id).update(
        status=status, finished_at=days_ago(days), next_attempt_at=None
    )
    return AgentTask.objects.get(pk=task.id)


def purge(**options: Any) -> Purge:
    """Purge without pauses."""
    return purge_history(**{"pause": lambda _: None, **options})


def counts(found: Purge) -> dict[str, int]:
    return {kind: t.rows for kind, t in found.tallies.items() if t.rows}
