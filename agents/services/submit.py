"""Creating tasks and submitting them to the backends of their agents."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from django.db import Error, connection

from agents.backends import SubmissionFailed, get_backend
from agents.models import Agent, AgentTask, TaskStatus
from agents.services.run import finish_task
from agents.services.scan_floor import ScanFloor
from agents.services.turns import next_turns
from common.database.sql import insert_rows
from common.ids import uuid7

logger = logging.getLogger(__name__)

BATCH = 500
MAX_SECONDS = 20.0
# A submitted task that no worker has started after this time is due again.
UNSTARTED_AFTER = timedelta(minutes=10)

due_floor = ScanFloor(delay=timedelta(0))

# Tests the status after locking the rows by id. Next to `id = …`, the planner may take
# the partial index of tasks to submit, as it expects that to be nearly empty.
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
    publications = publications + 1, lost_messages = lost_messages + %(lost)s,
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

# A submission that a backend did not accept is repeated after 15, 30, 30 … seconds.
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

_NAMES = (
    "id",
    "agent",
    "idempotency_key",
    "concurrency_key",
    "task_type",
    "title",
    "subject",
    "parameters",
    "metadata",
    "status",
    "error",
    "external_id",
    "workflow_id",
    "run_id",
    "attempt",
    "publications",
    "turn_at",
)
# By whether the task is held.
_FIRST_ATTEMPT = {False: "statement_timestamp()", True: "NULL::timestamptz"}

Parameters = Mapping[str, datetime | int | list[UUID]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task about to be created. `parameters` and `metadata` are JSON text.

    A held task is not submitted before it is released.
    """

    agent_id: UUID
    idempotency_key: UUID
    task_type: str
    title: str
    parameters: str
    metadata: str
    subject: str = ""
    concurrency_key: UUID | None = None
    is_held: bool = False
    id: UUID = field(default_factory=uuid7)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedBatch:
    """The number of claimed and of accepted tasks, and the latest due time of one."""

    count: int
    accepted: int
    last_due_at: datetime | None


def create_tasks(tasks: Sequence[NewTask]) -> None:
    """Store tasks as `pending`; the caller submits them after the commit.

    A second task with the same idempotency key raises IntegrityError. That is a bug in
    the caller, because the key is the id of the execution that the caller has locked.
    """
    if not tasks:
        return
    turns = next_turns([(task.agent_id, task.concurrency_key) for task in tasks])
    for is_held, next_attempt in _FIRST_ATTEMPT.items():
        insert_rows(
            AgentTask,
            _NAMES,
            [
                _row(task, turn_at)
                for task, turn_at in zip(tasks, turns, strict=True)
                if task.is_held == is_held
            ],
            created_at="statement_timestamp()",
            next_attempt_at=next_attempt,
        )


def _row(task: NewTask, turn_at: datetime) -> tuple[object, ...]:
    return (
        task.id,
        task.agent_id,
        task.idempotency_key,
        task.concurrency_key,
        task.task_type,
        task.title,
        task.subject,
        task.parameters,
        task.metadata,
        "pending",
        *("",) * 4,
        1,
        0,
        turn_at,
    )


def submit_tasks(task_ids: Sequence[UUID]) -> int:
    """Submit new tasks to their agents' backends; return how many were accepted.

    A second call does nothing, because a task is claimed before it is submitted. The
    sweep submits tasks again if they fail or if no worker starts them.
    """
    accepted = 0
    for start in range(0, len(task_ids), BATCH):
        ids = list(task_ids[start : start + BATCH])
        accepted += claim_and_submit(_BY_ID, {"ids": ids, "lost": 0}).accepted
    return accepted


def submit_due_tasks() -> int:
    """Submit tasks that were not submitted, or not started within ten minutes.

    Returns how many were accepted. Stops after 20 s, or when no task is accepted.
    """
    scan = due_floor.begin(reach=timedelta(0))
    deadline = time.monotonic() + MAX_SECONDS
    accepted, after = 0, scan.after
    while True:
        claimed = claim_and_submit(
            _DUE, {"after": after, "up_to": scan.up_to, "limit": BATCH, "lost": 0}
        )
        accepted += claimed.accepted
        if claimed.last_due_at is None or claimed.count < BATCH or not claimed.accepted:
            break
        if time.monotonic() > deadline:
            break
        # Includes that instant: tasks created together are due at the same instant.
        after = claimed.last_due_at - timedelta(microseconds=1)
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_DUE, [scan.after, scan.up_to])
        row = cursor.fetchone()
    due_floor.end(scan, oldest=row[0] if row else None)
    return accepted


def claim_and_submit(chosen: str, parameters: Parameters) -> ClaimedBatch:
    """Claim the tasks of the query `chosen` and submit them to their backends.

    The parameter `lost` is 1 if each of them has lost a message, otherwise 0.
    """
    with connection.cursor() as cursor:
        cursor.execute(chosen + _CLAIM, parameters)
        rows = cursor.fetchall()
    tasks = sorted(_load([row[0] for row in rows]), key=_backend)
    return ClaimedBatch(
        count=len(rows),
        accepted=sum(_submit_to(*group) for group in groupby(tasks, _backend)),
        last_due_at=rows[0][1] if rows else None,
    )


def _load(task_ids: Iterable[UUID]) -> list[AgentTask]:
    """Load tasks; tasks of one agent share it, so that its config is decrypted once."""
    tasks = AgentTask.objects.filter(pk__in=task_ids).select_related("agent")
    agents: dict[UUID, Agent] = {}
    loaded = list(tasks.defer("parameters", "metadata", "agent__config"))
    for task in loaded:
        task.agent = agents.setdefault(task.agent_id, task.agent)
    return loaded


def _backend(task: AgentTask) -> str:
    return task.agent.backend


def _submit_to(backend: str, group: Iterable[AgentTask]) -> int:
    """Submit tasks together; bisect them to find one that cannot be submitted.

    That task waits for its next attempt, or fails if the backend's error is permanent.
    """
    tasks = list(group)
    try:
        get_backend(backend).submit(tasks)
    except Error:
        raise
    except SubmissionFailed as error:
        if error.is_retryable:
            logger.warning(
                "%d tasks wait for backend %s: %s", len(tasks), backend, error
            )
            return _retry_later(tasks)
        return _bisect(backend, tasks) if len(tasks) > 1 else _fail(tasks[0], error)
    except Exception:
        if len(tasks) > 1:
            return _bisect(backend, tasks)
        logger.exception("Task %s cannot be submitted to %s", tasks[0].id, backend)
        return _retry_later(tasks)
    return len(tasks)


def _bisect(backend: str, tasks: list[AgentTask]) -> int:
    middle = len(tasks) // 2
    return sum(_submit_to(backend, half) for half in (tasks[:middle], tasks[middle:]))


def _fail(task: AgentTask, error: SubmissionFailed) -> int:
    """Fail a task that its backend rejected permanently."""
    finish_task(
        task=task,
        status=TaskStatus.FAILED,
        error=error.detail,
        was=TaskStatus.SUBMITTED,
    )
    return 0


def _retry_later(tasks: list[AgentTask]) -> int:
    """Make tasks `pending` again; the sweep submits them some seconds later."""
    with connection.cursor() as cursor:
        cursor.execute(_RETRY_LATER, [[task.id for task in tasks]])
    return 0
