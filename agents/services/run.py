from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.module_loading import import_string

from agents.models import AgentTask, TaskStatus
from agents.services.heartbeat import current_worker, live_workers
from common.fields import dump_json
from common.text import clean_text

RESULT_MAX_BYTES = 16 * 1024 * 1024
ERROR_MAX_CHARS = 10_000
MAX_ATTEMPTS = 5

_CLAIM = """
UPDATE agents_agenttask t SET status = 'running', claimed_by = %s,
    started_at = statement_timestamp(),
    deadline_at = statement_timestamp() + a.task_timeout_seconds * interval '1 second'
FROM agents_agent a
WHERE t.id = %s AND t.status = 'submitted' AND a.id = t.agent_id
RETURNING t.*
"""


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
    claimed = AgentTask.objects.filter(
        pk=task_id, status=TaskStatus.RUNNING, claimed_by=current_worker()
    )
    task = claimed.first()
    if task is not None:
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

    `executions` hears of it in the same transaction. Raises ResultRefused.
    """
    stored = None if result is None else _checked(result)
    held = AgentTask.objects.filter(pk=task.pk, status=was, attempt=task.attempt)
    with transaction.atomic():
        finished = held.update(
            status=status,
            result=stored,
            error=clean_text(error, limit=ERROR_MAX_CHARS),
            finished_at=timezone.now(),
        )
        if finished:
            tell_finished([task.pk], status)
    return bool(finished)


def take_back_silent() -> int:
    """Resubmit what workers held that fell silent, as a further attempt."""
    silent = _silent().filter(attempt__lt=MAX_ATTEMPTS)
    with transaction.atomic():
        rows = silent.order_by("pk").select_for_update(no_key=True, skip_locked=True)
        locked = list(rows.values_list("pk", flat=True))
        return AgentTask.objects.filter(pk__in=locked).update(
            status=TaskStatus.SUBMITTED,
            attempt=F("attempt") + 1,
            claimed_by=None,
            next_attempt_at=Now(),
        )


def give_up_deadly() -> int:
    """End tasks whose worker fell silent in each of five attempts; return how many."""
    error = f"Its worker died or fell silent in each of {MAX_ATTEMPTS} attempts"
    deadly = _silent().filter(attempt__gte=MAX_ATTEMPTS)[:500]
    return sum(
        finish_task(task=task, status=TaskStatus.FAILED, error=error) for task in deadly
    )


def time_out_overdue() -> int:
    """End running tasks that passed their deadline; return how many."""
    now = timezone.now()
    overdue = AgentTask.objects.filter(status=TaskStatus.RUNNING, deadline_at__lt=now)
    ended = 0
    for task in overdue.select_related("agent")[:500]:
        seconds = task.agent.task_timeout_seconds
        ended += finish_task(
            task=task,
            status=TaskStatus.TIMEOUT,
            error=f"No answer within {seconds} s",
        )
    return ended


def _silent() -> QuerySet[AgentTask]:
    """Return running tasks whose worker is not known to live."""
    alive = live_workers().filter(pk=OuterRef("claimed_by"))
    return AgentTask.objects.filter(~Exists(alive), status=TaskStatus.RUNNING)


def tell_finished(task_ids: Sequence[UUID], status: TaskStatus) -> None:
    """Let `executions` hear of tasks that ended alike, in this transaction."""
    tell = import_string(settings.TICKHOOK_ON_TASK_FINISHED)
    tell(task_ids=task_ids, status=status)


def _checked(result: object) -> object:
    try:
        size = len(dump_json(result))
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultRefused(f"The agent's result is not JSON: {error}") from error
    if size > RESULT_MAX_BYTES:
        raise ResultRefused(f"The agent's result of {size:,} bytes exceeds 16 MB")
    return result
