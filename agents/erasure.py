"""What an erasure leaves of tasks: when they ran, and how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django_celery_results.models import TaskResult

from access.erasure import ErasedData, Owner, register_data
from agents.models import AgentTask


def celery_ids(task_ids: Sequence[UUID]) -> list[str]:
    """Return the ids under which Celery's table may have rows of these tasks.

    An `@agent_task` has one with the id of the task. A Celery task that is none has one
    for each publication of the task.
    """
    rows = AgentTask.objects.filter(pk__in=task_ids).values_list("pk", "publications")
    of_messages = [
        f"{pk}:{number}"
        for pk, publications in rows
        for number in range(1, publications + 1)
    ]
    return [*map(str, task_ids), *of_messages]


register_data(
    ErasedData(
        kind="tasks",
        model=AgentTask,
        owner=Owner.TASK,
        key="id",
        empty={
            "title": "Erased",
            "subject": "",
            "parameters": {},
            "result": None,
            "error": "",
        },
    )
)
register_data(
    ErasedData(
        kind="results in Celery's table",
        model=TaskResult,
        owner=Owner.TASK,
        key="task_id",
        keys=celery_ids,
    )
)
