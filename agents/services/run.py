"""Status changes of tasks: claim, finish, time out, release and cancel.

Tasks of one concurrency key exclude each other; see `AgentTask`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from agents.models import OPEN_TASK_STATUSES, AgentTask, TaskStatus
from agents.services.celery_results import store_lost_result
from agents.services.scan_floor import ScanFloor
from agents.services.workers import HEARTBEAT_TIMEOUT, current_worker
from common.errors import clean_text
from common.fields import dump_json

RESULT_MAX_BYTES = 16 * 1024 * 1024
ERROR_MAX_CHARS = 10_000
MAX_ATTEMPTS = 5
BATCH = 500

# A status next to an id stands in a subquery. If it is a plain value, the planner may
# choose the partial index of that status, which it expects to be nearly empty, and read
# all of it instead of the one row.
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

# Statuses here are plain values, because these look-ups need the partial index.
_OF_DEAD_WORKERS = """
    SELECT id, attempt FROM agents_agenttask
    WHERE status = 'running' AND claimed_by = ANY(ARRAY(
        SELECT id FROM agents_worker
        WHERE seen_at < statement_timestamp() - make_interval(secs => %(timeout)s)
    ))
"""

_RESUBMIT = f"""
WITH lost AS MATERIALIZED ({_OF_DEAD_WORKERS}
    AND attempt < %(max_attempts)s
    ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE agents_agenttask SET status = 'submitted', attempt = attempt + 1,
    claimed_by = NULL, lost_messages = 0, next_attempt_at = statement_timestamp()
WHERE id = ANY(ARRAY(SELECT id FROM lost))
"""  # noqa: S608 - our own constant

_OUT_OF_ATTEMPTS = f"{_OF_DEAD_WORKERS} AND attempt >= %(max_attempts)s LIMIT %(limit)s"

_DEAD_WORKERS = {
    "timeout": HEARTBEAT_TIMEOUT.total_seconds(),
    "max_attempts": MAX_ATTEMPTS,
    "limit": BATCH,
}

_OVERDUE = """
    SELECT id, attempt, agent_id FROM agents_agenttask
    WHERE status = 'running' AND deadline_at > %s AND deadline_at <= %s LIMIT %s
"""

# The condition must be exactly that of the index `agent_task_busy`.
_BUSY = """
SELECT v.key FROM unnest(%s::uuid[]) AS v(key) WHERE EXISTS (
    SELECT 1 FROM agents_agenttask t WHERE t.concurrency_key = v.key
    AND t.status IN ('pending', 'submitted', 'running')
    AND t.next_attempt_at IS NOT NULL
)
"""

# Reads the clock after locking the rows, because the scan floor of due tasks relies on
# it. Tests statuses after ids, for the reason given in `agents.services.submit`.
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

running_floor = ScanFloor(delay=timedelta(0))


class ResultRejected(ValueError):
    """The agent's result is not JSON or larger than 16 MB."""


def claim_task(*, task_id: UUID) -> AgentTask | None:
    """Move SUBMITTED to RUNNING for this worker; return None if another was first.

    The metadata of the task contains the number of this attempt.
    """
    for task in AgentTask.objects.raw(_CLAIM, [current_worker(), task_id]):
        task.metadata["attempt"] = task.attempt
        return task
    return None


def find_claimed(*, task_id: UUID) -> AgentTask | None:
    """Return a running task that this process has claimed, or None.

    A claim can succeed although the connection broke before PostgreSQL's answer.
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
    has_lost_worker: bool = False,
) -> bool:
    """Store how a task ended; return False if this attempt has lost the task.

    Notifies `executions` in the same transaction. A task that `has_lost_worker` gets
    its row in Celery's table, too. Raises ResultRejected.
    """
    stored = None if result is None else dump_result(result)
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
            notify_finished([task.pk], status)
            if has_lost_worker:
                store_lost_result(task, status)
    return finished


def resubmit_tasks_of_dead_workers() -> int:
    """Make the tasks of dead workers due for a further attempt; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_RESUBMIT, _DEAD_WORKERS)
        return int(cursor.rowcount)


def fail_tasks_out_of_attempts() -> int:
    """Fail tasks that lost their worker in each of five attempts; return how many."""
    error = f"The worker died or missed heartbeats in each of {MAX_ATTEMPTS} attempts"
    return sum(
        finish_task(
            task=task, status=TaskStatus.FAILED, error=error, has_lost_worker=True
        )
        for task in AgentTask.objects.raw(_OUT_OF_ATTEMPTS, _DEAD_WORKERS)
    )


def time_out_overdue_tasks() -> int:
    """Time out at most 500 running tasks past their deadlines; return how many."""
    scan = running_floor.begin(reach=timedelta(0))
    rows = AgentTask.objects.raw(_OVERDUE, [scan.after, scan.up_to, BATCH])
    overdue = list(rows.prefetch_related("agent"))
    ended = 0
    for task in overdue:
        seconds = task.agent.task_timeout_seconds
        ended += finish_task(
            task=task,
            status=TaskStatus.TIMEOUT,
            error=f"The agent did not finish within {seconds} s",
            has_lost_worker=True,
        )
    if len(overdue) < BATCH:
        running_floor.end(scan, oldest=None)
    return ended


def notify_finished(task_ids: Sequence[UUID], status: TaskStatus) -> None:
    """Call `executions`, in this transaction, for tasks that ended with one status."""
    on_finished = import_string(settings.TICKHOOK_ON_TASK_FINISHED)
    on_finished(task_ids=task_ids, status=status)


def busy_keys(keys: Collection[UUID]) -> set[UUID]:
    """Return the keys that have an open task, apart from tasks that are held."""
    with connection.cursor() as cursor:
        cursor.execute(_BUSY, [list(keys)])
        return {row[0] for row in cursor.fetchall()}


def busy_tasks(keys: Collection[UUID]) -> QuerySet[AgentTask]:
    """Return the tasks that make their keys busy."""
    return AgentTask.objects.filter(
        concurrency_key__in=list(keys),
        status__in=OPEN_TASK_STATUSES,
        next_attempt_at__isnull=False,
    )


def release_tasks(task_ids: Sequence[UUID]) -> None:
    """Make held tasks due as soon as the transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, [list(task_ids)])


def cancel_tasks(*, task_ids: Collection[UUID], error: str) -> list[UUID]:
    """Cancel the open ones of the tasks, with a reason; return their ids.

    Notifies `executions` in the same transaction. A worker that runs one of them is
    not stopped, but its result is rejected.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_CANCEL, [list(task_ids), error])
            cancelled = [row[0] for row in cursor.fetchall()]
        if cancelled:
            notify_finished(cancelled, TaskStatus.CANCELLED)
    return cancelled


def dump_result(result: object) -> str:
    """Return the JSON text of a result; raise ResultRejected."""
    try:
        text = dump_json(result)
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultRejected(f"The agent's result is not JSON: {error}") from error
    if len(text) > RESULT_MAX_BYTES:
        raise ResultRejected(f"The agent's result of {len(text):,} bytes exceeds 16 MB")
    return text
