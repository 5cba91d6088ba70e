"""Tasks of one concurrency key: which are under way, are held, or must end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from agents.models import OPEN_TASK_STATUSES, AgentTask, TaskStatus
from agents.services.run import tell_finished

# Word for word the condition of the index `agent_task_busy`.
_BUSY = """
SELECT v.key FROM unnest(%s::uuid[]) AS v(key) WHERE EXISTS (
    SELECT 1 FROM agents_agenttask t WHERE t.concurrency_key = v.key
    AND t.status IN ('pending', 'submitted', 'running')
    AND t.next_attempt_at IS NOT NULL
)
"""

# The clock is read after the rows are locked: the floor of due tasks relies on it.
# Statuses are tested after the ids, as in `agents.services.submit`.
_RELEASE = """
WITH found AS MATERIALIZED (
    SELECT id, status, next_attempt_at FROM agents_agenttask
    WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
)
UPDATE agents_agenttask SET next_attempt_at = clock_timestamp()
WHERE id = ANY(ARRAY(
    SELECT id FROM found WHERE status = 'pending' AND next_attempt_at IS NULL
))
"""

_CANCEL = """
WITH found AS MATERIALIZED (
    SELECT id, status FROM agents_agenttask
    WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
)
UPDATE agents_agenttask SET
    status = 'cancelled', error = %s, finished_at = statement_timestamp()
WHERE id = ANY(ARRAY(
    SELECT id FROM found WHERE status IN ('pending', 'submitted', 'running')
))
RETURNING id
"""


def busy_keys(keys: Collection[UUID]) -> set[UUID]:
    """Return the keys of which a task is under way; one that is held is not."""
    with connection.cursor() as cursor:
        cursor.execute(_BUSY, [list(keys)])
        return {row[0] for row in cursor.fetchall()}


def tasks_under_way(keys: Collection[UUID]) -> QuerySet[AgentTask]:
    """Return the tasks that make their keys busy."""
    return AgentTask.objects.filter(
        concurrency_key__in=list(keys),
        status__in=OPEN_TASK_STATUSES,
        next_attempt_at__isnull=False,
    )


def release_tasks(task_ids: Sequence[UUID]) -> None:
    """Make held tasks due, from the commit on."""
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, [list(task_ids)])


def cancel_tasks(*, task_ids: Collection[UUID], error: str) -> list[UUID]:
    """End tasks as `cancelled`, and say why; return which. Those that ended stay so.

    Calls `executions` in the same transaction. A worker that runs one of them is not
    stopped; its report is refused.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_CANCEL, [list(task_ids), error])
            cancelled = [row[0] for row in cursor.fetchall()]
        if cancelled:
            tell_finished(cancelled, TaskStatus.CANCELLED)
    return cancelled
