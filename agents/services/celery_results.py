"""The rows of agents' tasks in Celery's own table of results.

Celery would store a row for each message, in its own transaction. Here a task has
one, which is stored in the transaction that ends the task. It has no arguments, and its
`result` is the id of the task, where the result is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from agents.models import AgentTask, TaskStatus
from common.fields import UndecryptableValue

_STORE = """
INSERT INTO django_celery_results_taskresult (
    task_id, task_name, worker, status, result, content_type, content_encoding,
    date_created, date_started, date_done
)
SELECT v.id::text, %s, %s, %s, to_json(v.id)::text, 'application/json', 'utf-8',
    v.created_at, v.started_at, statement_timestamp()
FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[])
    AS v(id, created_at, started_at)
ON CONFLICT (task_id) DO NOTHING
"""
MAX_WORKER_CHARACTERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CeleryRun:
    """The Celery task and the worker that ran tasks."""

    name: str
    worker: str


def store_celery_results(
    tasks: Sequence[AgentTask], status: TaskStatus, run: CeleryRun
) -> None:
    """Add tasks that have ended to Celery's table, unless that is turned off."""
    if not settings.TICKHOOK_CELERY_RESULTS:
        return
    state = "SUCCESS" if status == TaskStatus.SUCCEEDED else "FAILURE"
    with connection.cursor() as cursor:
        cursor.execute(
            _STORE,
            [
                run.name,
                run.worker[:MAX_WORKER_CHARACTERS],
                state,
                [task.pk for task in tasks],
                [task.created_at for task in tasks],
                [task.started_at for task in tasks],
            ],
        )


def store_lost_result(task: AgentTask, status: TaskStatus) -> None:
    """Add a task whose worker did not end it, if its agent runs in Celery workers."""
    try:
        is_celery = task.agent.backend == "celery"
        name = str(task.agent.config.get("task", "")) if is_celery else ""
    except UndecryptableValue:
        return
    if is_celery:
        store_celery_results([task], status, CeleryRun(name=name, worker=""))
