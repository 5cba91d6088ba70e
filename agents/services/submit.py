from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from django.db import Error, connection

from agents.backends.base import SubmissionFailed, get_backend
from agents.models import Agent, AgentTask, TaskStatus
from agents.services.floors import Floor
from agents.services.run import finish_task

logger = logging.getLogger(__name__)

BATCH = 500
MAX_SECONDS = 20.0
# A task that was submitted and that no worker has started by then is due again.
UNSTARTED_AFTER = timedelta(minutes=10)

due_tasks = Floor(delay=timedelta(0))

# The status is tested after the rows are locked by id. Next to `id = …` the planner
# may prefer the partial index of tasks to submit, which it believes to be nearly empty.
_BY_ID = """
WITH found AS MATERIALIZED (
    SELECT id, status, next_attempt_at FROM agents_agenttask
    WHERE id = ANY(%(ids)s) FOR NO KEY UPDATE SKIP LOCKED
), chosen AS MATERIALIZED (
    SELECT id, next_attempt_at FROM found WHERE status IN ('pending', 'submitted')
    AND next_attempt_at <= statement_timestamp()
)
"""

_DUE = """
WITH chosen AS MATERIALIZED (
    SELECT id, next_attempt_at FROM agents_agenttask
    WHERE status IN ('pending', 'submitted')
    AND next_attempt_at > %(after)s AND next_attempt_at <= %(up_to)s
    ORDER BY next_attempt_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
"""

_CLAIM = f"""
UPDATE agents_agenttask SET
    status = 'submitted', submitted_at = statement_timestamp(),
    publications = publications + 1,
    next_attempt_at = statement_timestamp()
        + interval '{UNSTARTED_AFTER.total_seconds()} seconds'
WHERE id = ANY(ARRAY(SELECT id FROM chosen))
RETURNING id, (SELECT max(next_attempt_at) FROM chosen)
"""  # noqa: S608 - our own constant

_OLDEST_DUE = """
SELECT next_attempt_at FROM agents_agenttask
WHERE status IN ('pending', 'submitted')
AND next_attempt_at > %s AND next_attempt_at <= %s
ORDER BY next_attempt_at LIMIT 1
"""

# Submissions that a backend did not take are repeated after 15, 30, 30 … seconds.
_RETRY_LATER = """
WITH found AS MATERIALIZED (
    SELECT id, status FROM agents_agenttask
    WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
)
UPDATE agents_agenttask SET
    status = 'pending',
    next_attempt_at = statement_timestamp()
        + least(30, 15 * publications) * interval '1 second'
WHERE id = ANY(ARRAY(SELECT id FROM found WHERE status = 'submitted'))
"""


Parameters = Mapping[str, datetime | int | list[UUID]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What one claim came to; `last` is the latest instant at which a task was due."""

    count: int
    sent: int
    last: datetime | None


def submit_tasks(task_ids: Sequence[UUID]) -> int:
    """Submit new tasks to their agents' backends; return how many were taken.

    A second call does nothing: a task is claimed before it is submitted. The sweep
    repeats what fails, and what is never started.
    """
    sent = 0
    for start in range(0, len(task_ids), BATCH):
        ids = list(task_ids[start : start + BATCH])
        sent += claim_and_submit(_BY_ID, {"ids": ids}).sent
    return sent


def submit_overdue() -> int:
    """Submit tasks that were not submitted, or not started in ten minutes.

    Returns how many were taken. Stops after 20 s, or when a backend takes none.
    """
    look = due_tasks.begin(reach=timedelta(0))
    deadline = time.monotonic() + MAX_SECONDS
    sent, after = 0, look.after
    while True:
        claimed = claim_and_submit(
            _DUE, {"after": after, "up_to": look.up_to, "limit": BATCH}
        )
        sent += claimed.sent
        if claimed.last is None or claimed.count < BATCH or not claimed.sent:
            break
        if time.monotonic() > deadline:
            break
        # Not above it: tasks that were made together are due at the same instant.
        after = claimed.last - timedelta(microseconds=1)
    due_tasks.end(look, oldest=_oldest_due(look.after, look.up_to))
    return sent


def claim_and_submit(chosen: str, parameters: Parameters) -> Claimed:
    """Claim the tasks of the query `chosen` and submit them to their backends."""
    with connection.cursor() as cursor:
        cursor.execute(chosen + _CLAIM, parameters)
        rows = cursor.fetchall()
    return Claimed(
        count=len(rows),
        sent=_hand_over([row[0] for row in rows]),
        last=rows[0][1] if rows else None,
    )


def _oldest_due(after: datetime, up_to: datetime) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_DUE, [after, up_to])
        row = cursor.fetchone()
    return row[0] if row else None


def _hand_over(task_ids: Sequence[UUID]) -> int:
    if not task_ids:
        return 0
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
    """Submit tasks together; find one that cannot be submitted by halving.

    It waits for its next attempt, or has failed if the backend refuses it for good.
    """
    try:
        get_backend(backend).submit(tasks)
    except Error:
        raise
    except SubmissionFailed as error:
        if error.is_retryable:
            logger.warning("%d tasks wait for %s: %s", len(tasks), backend, error)
            return _retry_later(tasks)
        return _halve(backend, tasks) if len(tasks) > 1 else _fail(tasks[0], error)
    except Exception:
        if len(tasks) > 1:
            return _halve(backend, tasks)
        logger.exception("Task %s cannot be submitted to %s", tasks[0].id, backend)
        return _retry_later(tasks)
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


def _retry_later(tasks: list[AgentTask]) -> int:
    """Make tasks `pending` again, to be submitted some seconds later."""
    with connection.cursor() as cursor:
        cursor.execute(_RETRY_LATER, [[task.id for task in tasks]])
    return 0
