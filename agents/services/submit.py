from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from itertools import groupby
from uuid import UUID

from django.db import Error, connection, transaction

from agents.backends.base import SubmissionFailed, get_backend
from agents.models import Agent, AgentTask, TaskStatus
from agents.services.run import finish_task

logger = logging.getLogger(__name__)

BATCH = 500

# The n-th publication that nobody answers is repeated after 15 s, 30 s, … 10 min.
_CLAIM = """
UPDATE agents_agenttask SET
    status = 'submitted', submitted_at = statement_timestamp(),
    publications = publications + 1,
    next_attempt_at = statement_timestamp()
        + least(600, 15 * 2 ^ least(publications, 10)) * interval '1 second'
WHERE id IN (
    SELECT id FROM agents_agenttask
    WHERE status IN ('pending', 'submitted')
    AND next_attempt_at <= statement_timestamp()
    {only}
    ORDER BY next_attempt_at LIMIT %s FOR UPDATE SKIP LOCKED
)
RETURNING id
"""


def submit_tasks(task_ids: Sequence[UUID]) -> int:
    """Hand new tasks to their agents' backends; return how many were handed over.

    Called twice it does nothing: a task is claimed before it is handed over. What
    fails, or is never answered, is handed over again by the sweep.
    """
    sent = 0
    for start in range(0, len(task_ids), BATCH):
        chunk = list(task_ids[start : start + BATCH])
        sent += _hand_over(_claim("AND id = ANY(%s)", [chunk]))
    return sent


def submit_overdue() -> int:
    """Hand over what is still unsubmitted or unanswered; at most 500 tasks a call."""
    return _hand_over(_claim("", []))


def _claim(only: str, parameters: list[list[UUID]]) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM.format(only=only), [*parameters, BATCH])
        return [row[0] for row in cursor.fetchall()]


def _hand_over(task_ids: Iterable[UUID]) -> int:
    by_backend = groupby(sorted(_load(task_ids), key=_backend), _backend)
    return sum(_submit_to(name, list(group)) for name, group in by_backend)


def _load(task_ids: Iterable[UUID]) -> list[AgentTask]:
    """Load tasks; those of one agent share it, and so one reading of its config."""
    tasks = AgentTask.objects.filter(pk__in=task_ids).select_related("agent")
    agents: dict[UUID, Agent] = {}
    loaded = list(tasks.defer("parameters", "metadata", "agent__config"))
    for task in loaded:
        task.agent = agents.setdefault(task.agent_id, task.agent)
    return loaded


def _backend(task: AgentTask) -> str:
    return task.agent.backend


def _submit_to(backend: str, tasks: list[AgentTask]) -> int:
    """Submit tasks together; one that can't be is found by halving, and stands alone.

    It waits for its next attempt, or has failed if the backend says that it never can.
    """
    try:
        get_backend(backend).submit(tasks)
    except Error:
        raise
    except SubmissionFailed as error:
        if error.is_retryable:
            logger.warning("%d tasks wait for %s: %s", len(tasks), backend, error)
            return _give_back(tasks)
        return _halve(backend, tasks) if len(tasks) > 1 else _fail(tasks[0], error)
    except Exception:
        if len(tasks) > 1:
            return _halve(backend, tasks)
        logger.exception("Task %s can't be submitted to %s", tasks[0].id, backend)
        return _give_back(tasks)
    return len(tasks)


def _halve(backend: str, tasks: list[AgentTask]) -> int:
    middle = len(tasks) // 2
    return sum(_submit_to(backend, half) for half in (tasks[:middle], tasks[middle:]))


def _fail(task: AgentTask, error: SubmissionFailed) -> int:
    """End a task that its backend refused for good."""
    finish_task(
        task=task,
        status=TaskStatus.FAILED,
        error=error.detail,
        was=TaskStatus.SUBMITTED,
    )
    return 0


def _give_back(tasks: list[AgentTask]) -> int:
    """Make tasks `pending` again; their next attempt stays where the claim put it."""
    submitted = AgentTask.objects.filter(
        pk__in=[task.id for task in tasks], status=TaskStatus.SUBMITTED
    )
    with transaction.atomic():
        locked = submitted.order_by("pk").select_for_update(no_key=True)
        held = list(locked.values_list("pk", flat=True))
        AgentTask.objects.filter(pk__in=held).update(status=TaskStatus.PENDING)
    return 0
