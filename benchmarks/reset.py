"""Deleting the data of one run, so that the next one starts with empty tables."""

from __future__ import annotations

import redis
from django.conf import settings
from django.db import connection
from django_celery_results.models import TaskResult

from agents.models import AgentTask, HintSlot
from benchmarks.naive.models import Hook, HookExecution, HookTask
from events.models import Event, Inbox
from events.nudge import KEY as NUDGE
from executions.models import ExecutionTrace, TriggerExecution
from triggers.models import StatsDelta

_MODELS = (
    *(Hook, HookExecution, HookTask),
    *(Event, Inbox, TriggerExecution, ExecutionTrace, AgentTask, StatsDelta),
    *(HintSlot, TaskResult),
)
_QUEUES = ("pipeline", "agents", "naive", "naive-agents")


def reset_all() -> None:
    """Empty the tables and queues, and flush pending writes to disk."""
    tables = ", ".join(model._meta.db_table for model in _MODELS)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables}")
        cursor.execute("CHECKPOINT")
    with broker() as client:
        client.delete(NUDGE, *_QUEUES)


def queue_length(name: str) -> int:
    with broker() as client:
        return int(client.llen(name))


def broker() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)
