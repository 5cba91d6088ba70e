"""Status changes of several tasks at once: a worker process claims and ends chunks.

Each statement changes only tasks that this process still has: what the sweep, a person
or another attempt has changed in the meantime stays.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from uuid import UUID

from django.db import connection, transaction

from agents.models import Agent, AgentTask, TaskStatus
from agents.services.celery_results import CeleryRun, store_celery_results
from agents.services.run import notify_finished
from agents.services.turns import MARGIN, LookFloors
from agents.services.workers import current_worker

# A task starts at most this long after its claim, so its deadline is that much later.
START_SECONDS = 1

claim_floors = LookFloors()

# `lower` is explained at the index. A task that has lost a worker is claimed alone,
# because it may be its code that ends the process.
_CLAIM = """
WITH found AS MATERIALIZED (
    SELECT id, turn_at, attempt FROM agents_agenttask
    WHERE agent_id = %(agent_id)s AND lower(status) = 'submitted'
    AND turn_at > %(after)s
    ORDER BY turn_at, id LIMIT %(limit)s + 1 FOR NO KEY UPDATE SKIP LOCKED
), placed AS (
    SELECT id, attempt, row_number() OVER (ORDER BY turn_at, id) AS place FROM found
), chosen AS (
    SELECT id FROM placed WHERE place = 1 OR place < (
        SELECT coalesce(min(place), %(limit)s + 1) FROM placed WHERE attempt > 1
    )
)
UPDATE agents_agenttask SET status = 'running', claimed_by = %(worker)s,
    started_at = statement_timestamp(),
    deadline_at = statement_timestamp() + %(seconds)s * interval '1 second'
WHERE id = ANY(ARRAY(SELECT id FROM chosen))
RETURNING *,
    (SELECT count(*) FROM placed) > (SELECT count(*) FROM chosen) AS has_more
"""

_END = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(%s::uuid[], %s::int[], %b::text[], %b::text[])
    AS v(id, attempt, result, error)
), held AS MATERIALIZED (
    SELECT id, attempt, status FROM agents_agenttask
    WHERE id = ANY(ARRAY(SELECT id FROM given)) ORDER BY id FOR NO KEY UPDATE
)
UPDATE agents_agenttask t SET status = %s, result = v.result::json, error = v.error,
    finished_at = statement_timestamp()
FROM given v JOIN held USING (id)
WHERE t.id = v.id AND held.status = 'running' AND held.attempt = v.attempt
RETURNING t.id
"""

_RELEASE = """
WITH held AS MATERIALIZED (
    SELECT id, attempt, status FROM agents_agenttask
    WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
)
UPDATE agents_agenttask SET status = 'submitted', claimed_by = NULL,
    started_at = NULL, deadline_at = NULL
WHERE id = ANY(ARRAY(
    SELECT held.id FROM held JOIN unnest(%s::uuid[], %s::int[]) AS v(id, attempt)
    USING (id, attempt) WHERE held.status = 'running'
))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedTask:
    """A running task of this process, and how it ended. `result` is JSON text."""

    task: AgentTask
    status: TaskStatus
    result: str | None = None
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedTasks:
    """Tasks that this process has claimed, and whether more of the agent wait."""

    tasks: Sequence[AgentTask]
    has_more: bool = False


def claim_waiting(
    *, agent: Agent, limit: int, now: datetime, shown: datetime | None = None
) -> ClaimedTasks:
    """Claim the first waiting tasks of an agent for this process, in their order.

    `now` is the server's time at a moment before; `shown` is a turn at which a task
    waits. The metadata of a task contain the number of this attempt.
    """
    after = claim_floors.after(agent.id, shown=shown)
    started = time.monotonic()
    parameters = {
        "agent_id": agent.id,
        "after": after,
        "limit": limit,
        "worker": current_worker(),
        "seconds": agent.task_timeout_seconds + START_SECONDS,
    }
    rows = list(AgentTask.objects.raw(_CLAIM, parameters))
    tasks = _in_order(rows, agent)
    claim_floors.learn(
        agent.id,
        first=tasks[0].turn_at if tasks else now - MARGIN,
        seconds=time.monotonic() - started,
    )
    has_more = any(vars(task).pop("has_more") for task in rows)
    return ClaimedTasks(tasks=tasks, has_more=has_more)


def find_unconfirmed(*, agent: Agent, known: Collection[UUID]) -> ClaimedTasks:
    """Return the tasks that this process has claimed without knowing it.

    A claim can succeed although the connection broke before PostgreSQL's answer.
    """
    claimed = AgentTask.objects.filter(
        agent_id=agent.id, status=TaskStatus.RUNNING, claimed_by=current_worker()
    )
    return ClaimedTasks(tasks=_in_order(claimed.exclude(pk__in=known), agent))


def _in_order(tasks: Collection[AgentTask], agent: Agent) -> list[AgentTask]:
    ordered = sorted(tasks, key=lambda task: (task.turn_at, task.id))
    for task in ordered:
        task.agent = agent
        task.metadata["attempt"] = task.attempt
    return ordered


def end_tasks(
    ended: Sequence[EndedTask], *, celery_run: CeleryRun | None = None
) -> set[UUID]:
    """Store how tasks ended; return the ids of those that this process still had.

    Tasks that ended alike one after the other are one transaction, so that failures and
    successes of a trigger count in their order. `executions` is notified in it.
    """
    stored: set[UUID] = set()
    for status, group in groupby(ended, key=lambda one: one.status):
        stored |= _end_alike(list(group), status, celery_run)
    return stored


def _end_alike(
    ended: Sequence[EndedTask], status: TaskStatus, celery_run: CeleryRun | None
) -> set[UUID]:
    columns = (
        [one.task.pk for one in ended],
        [one.task.attempt for one in ended],
        [one.result for one in ended],
        [one.error for one in ended],
    )
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_END, [*columns, status])
            stored = {row[0] for row in cursor.fetchall()}
        if stored:
            notify_finished(sorted(stored), status)
            if celery_run:
                tasks = [one.task for one in ended if one.task.pk in stored]
                store_celery_results(tasks, status, celery_run)
    return stored


def release_claimed(tasks: Collection[AgentTask]) -> None:
    """Make tasks wait again that this process has claimed and not begun."""
    with connection.cursor() as cursor:
        ids = [task.pk for task in tasks]
        cursor.execute(_RELEASE, [ids, ids, [task.attempt for task in tasks]])
