from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

from agents.models import AgentTask, TaskStatus
from agents.services.floors import Floor
from agents.services.heartbeat import SILENT_AFTER, current_worker
from common.errors import clean_text
from common.fields import dump_json

RESULT_MAX_BYTES = 16 * 1024 * 1024
ERROR_MAX_CHARS = 10_000
MAX_ATTEMPTS = 5

MAX_LOOKED_AT = 500

# A status next to an id stands in a subquery. As a plain value it lets the planner take
# the partial index of that status, which it believes to be nearly empty, and read all
# of it instead of the one row.
_CLAIM = """
UPDATE agents_agenttask t SET status = 'running', claimed_by = %s,
    started_at = statement_timestamp(),
    deadline_at = statement_timestamp() + a.task_timeout_seconds * interval '1 second'
FROM agents_agent a
WHERE t.id = %s AND t.status = (SELECT 'submitted') AND a.id = t.agent_id
RETURNING t.*
"""

_FINISH = """
UPDATE agents_agenttask SET status = %(status)s, result = %(result)s::text::json,
    error = %(error)s, finished_at = statement_timestamp()
WHERE id = %(id)s AND attempt = %(attempt)s AND status = (SELECT %(was)s::text)
"""

# Statuses here are plain values: these look-ups need the partial index.
_OF_SILENT = """
    SELECT id, attempt FROM agents_agenttask
    WHERE status = 'running' AND claimed_by = ANY(ARRAY(
        SELECT id FROM agents_worker
        WHERE seen_at < statement_timestamp() - make_interval(secs => %(silent)s)
    ))
"""

_TAKE_BACK = f"""
WITH silent AS MATERIALIZED ({_OF_SILENT}
    AND attempt < %(max_attempts)s
    ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE agents_agenttask SET status = 'submitted', attempt = attempt + 1,
    claimed_by = NULL, next_attempt_at = statement_timestamp()
WHERE id = ANY(ARRAY(SELECT id FROM silent))
"""  # noqa: S608 - our own constant

_DEADLY = f"{_OF_SILENT} AND attempt >= %(max_attempts)s LIMIT %(limit)s"

_SILENT = {
    "silent": SILENT_AFTER.total_seconds(),
    "max_attempts": MAX_ATTEMPTS,
    "limit": MAX_LOOKED_AT,
}

_OVERDUE = """
    SELECT id, attempt, agent_id FROM agents_agenttask
    WHERE status = 'running' AND deadline_at > %s AND deadline_at <= %s LIMIT %s
"""

running_tasks = Floor(delay=timedelta(0))


class ResultRefused(ValueError):
    """The agent's result is not JSON or larger than 16 MB."""


def claim_task(*, task_id: UUID) -> AgentTask | None:
    """Move SUBMITTED to RUNNING for this worker; None if another got there first.

    Its metadata says which attempt this is.
    """
    claimed = AgentTask.objects.raw(_CLAIM, [current_worker(), task_id])
    for task in claimed:
        task.metadata["attempt"] = task.attempt
        return task
    return None


def find_claimed(*, task_id: UUID) -> AgentTask | None:
    """Return a task that this process has claimed and that has not ended.

    A claim can succeed although the connection broke before the server's answer.
    """
    task = AgentTask.objects.filter(pk=task_id).first()
    if task is None or task.status != TaskStatus.RUNNING:
        return None
    if task.claimed_by != current_worker():
        return None
    task.metadata["attempt"] = task.attempt
    return task


def finish_task(
    *,
    task: AgentTask,
    status: TaskStatus,
    result: object = None,
    error: str = "",
    was: TaskStatus = TaskStatus.RUNNING,
) -> bool:
    """Record how a task ended; False if this attempt no longer has it.

    Calls `executions` in the same transaction. Raises ResultRefused.
    """
    stored = None if result is None else _checked(result)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                _FINISH,
                {
                    "id": task.pk,
                    "attempt": task.attempt,
                    "was": was,
                    "status": status,
                    "result": stored,
                    "error": clean_text(error, limit=ERROR_MAX_CHARS),
                },
            )
            finished = bool(cursor.rowcount)
        if finished:
            tell_finished([task.pk], status)
    return finished


def take_back_silent() -> int:
    """Resubmit what silent workers held, as a further attempt; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_BACK, _SILENT)
        return int(cursor.rowcount)


def give_up_deadly() -> int:
    """End tasks that lost their worker in each of five attempts; return how many."""
    error = f"Its worker died or missed heartbeats in each of {MAX_ATTEMPTS} attempts"
    return sum(
        finish_task(task=task, status=TaskStatus.FAILED, error=error)
        for task in AgentTask.objects.raw(_DEADLY, _SILENT)
    )


def time_out_overdue() -> int:
    """End running tasks that passed their deadline, at most 500; return how many."""
    look = running_tasks.begin(reach=timedelta(0))
    rows = AgentTask.objects.raw(_OVERDUE, [look.after, look.up_to, MAX_LOOKED_AT])
    overdue = list(rows.prefetch_related("agent"))
    ended = 0
    for task in overdue:
        seconds = task.agent.task_timeout_seconds
        ended += finish_task(
            task=task,
            status=TaskStatus.TIMEOUT,
            error=f"No answer within {seconds} s",
        )
    if len(overdue) < MAX_LOOKED_AT:
        running_tasks.end(look, oldest=None)
    return ended


def tell_finished(task_ids: Sequence[UUID], status: TaskStatus) -> None:
    """Call `executions` in this transaction for tasks that ended alike."""
    tell = import_string(settings.TICKHOOK_ON_TASK_FINISHED)
    tell(task_ids=task_ids, status=status)


def _checked(result: object) -> str:
    try:
        text = dump_json(result)
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultRefused(f"The agent's result is not JSON: {error}") from error
    if len(text) > RESULT_MAX_BYTES:
        raise ResultRefused(f"The agent's result of {len(text):,} bytes exceeds 16 MB")
    return text
