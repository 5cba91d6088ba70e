"""Erases what came of the events of a subject: executions, traces, tasks and results.

The events are erased before. Those that wait are processed here, so that each of their
pairs ends as `cancelled: by_person`, whether workers run or not. A worker that read an
event before it was erased has committed its executions when the event has left the
inbox; they are erased like older ones.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from access.erasure import (
    ROWS,
    Batch,
    ErasedData,
    Owner,
    Scope,
    Stage,
    erase_owned,
    register_data,
    register_part,
)
from agents.models import OPEN_TASK_STATUSES, AgentTask
from common.errors import ServiceUnavailable
from events.erasure import forget_subject, pages_of_events
from events.models import Inbox
from executions.models import OPEN_STATUSES, ExecutionTrace, TriggerExecution
from executions.pipeline.drain import process_lease
from executions.pipeline.leases import claim_events, reclaim_orphans
from executions.services.waiting import cancel_by_person

# Each of these events may have an execution for each of thousands of triggers.
EVENTS = 200
MAX_WAIT_SECONDS = 60.0
PAUSE_SECONDS = 0.1

# An execution and its task, by the id of the execution.
Tasks = dict[UUID, UUID | None]

# Finds the rows by their events first: in the order of the limit, the planner may read
# all executions instead.
_OF_EVENTS = """
WITH found AS MATERIALIZED (
    SELECT id, task_id FROM executions_triggerexecution WHERE event_id = ANY(%s)
)
SELECT id, task_id FROM found WHERE id > %s ORDER BY id LIMIT %s
"""

# For events of no subject: the trigger ran for them before it got its own. Events of
# other subjects are theirs, those of this one are found by `pages_of_events`.
_OF_TRIGGER = """
SELECT x.id, x.task_id, x.executed_at FROM executions_triggerexecution x
LEFT JOIN events_event e ON e.id = x.event_id
WHERE x.trigger_id = %(trigger_id)s
AND (x.executed_at, x.id) > (%(executed_at)s, %(last)s)
AND (e.id IS NULL OR e.subject = ''
    AND coalesce(e.endpoint_id <> ALL(%(endpoint_ids)s), true)
    AND coalesce(e.trigger_id <> ALL(%(trigger_ids)s), true))
ORDER BY x.executed_at, x.id LIMIT %(rows)s
"""
_FIRST_ID = UUID(int=0)
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class EventsInUse(ServiceUnavailable):
    """Workers still process events of this subject; erase it again a little later."""

    code = "events_in_use"


def erase_results(scope: Scope, is_dry: bool) -> Iterator[Batch]:
    """Erase what came of the events of a subject, and of its triggers.

    Raises EventsInUse if a worker does not commit its batch within a minute.
    """
    for event_ids in pages_of_events(scope, rows=EVENTS, is_erased=not is_dry):
        yield _settle(event_ids, is_dry=is_dry)
        for tasks in _of_events(event_ids):
            yield from _erase(tasks, is_dry=is_dry)
        if not is_dry:
            forget_subject(event_ids)
    for trigger_id in scope.ids[Owner.TRIGGER]:
        for tasks in _of_trigger(trigger_id, scope):
            yield from _erase(tasks, is_dry=is_dry)


def _settle(event_ids: Sequence[UUID], *, is_dry: bool) -> Batch:
    """Process those of the events that wait; wait for those that workers process."""
    waiting = Inbox.objects.filter(pk__in=event_ids)
    rows = left = waiting.count()
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    while left and not is_dry:
        if lease := claim_events(event_ids):
            process_lease(lease)
        elif time.monotonic() > deadline:
            raise EventsInUse
        else:
            reclaim_orphans()
            time.sleep(PAUSE_SECONDS)
        left = waiting.count()
    return Batch(kind="waiting events", rows=rows, is_cancelled=True)


def _of_events(event_ids: Sequence[UUID]) -> Iterator[Tasks]:
    last = _FIRST_ID
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_OF_EVENTS, [list(event_ids), last, ROWS])
            tasks = dict(cursor.fetchall())
        if not tasks:
            return
        yield tasks
        last = max(tasks)


def _of_trigger(trigger_id: UUID, scope: Scope) -> Iterator[Tasks]:
    executed_at, last = _BEFORE_ALL, _FIRST_ID
    while True:
        values: dict[str, Any] = {
            "trigger_id": trigger_id,
            "executed_at": executed_at,
            "last": last,
            "endpoint_ids": list(scope.ids[Owner.ENDPOINT]),
            "trigger_ids": list(scope.ids[Owner.TRIGGER]),
            "rows": ROWS,
        }
        with connection.cursor() as cursor:
            cursor.execute(_OF_TRIGGER, values)
            rows = cursor.fetchall()
        if not rows:
            return
        yield {id_: task_id for id_, task_id, _ in rows}
        last, _, executed_at = rows[-1]


def _erase(tasks: Tasks, *, is_dry: bool) -> Iterator[Batch]:
    """Cancel what is open of these executions, and erase them with their tasks."""
    ids, task_ids = list(tasks), [task_id for task_id in tasks.values() if task_id]
    if is_dry:
        open_ = TriggerExecution.objects.filter(pk__in=ids, status__in=OPEN_STATUSES)
        open_tasks = AgentTask.objects.filter(
            pk__in=task_ids, status__in=OPEN_TASK_STATUSES
        )
        executions, cancelled = open_.count(), open_tasks.count()
    else:
        done = cancel_by_person(execution_ids=ids)
        executions, cancelled = done.executions, done.tasks
    yield Batch(kind="open executions", rows=executions, is_cancelled=True)
    yield Batch(kind="open tasks", rows=cancelled, is_cancelled=True)
    yield from erase_owned(Owner.EXECUTION, ids, is_dry=is_dry)
    yield from erase_owned(Owner.TASK, task_ids, is_dry=is_dry)


register_data(
    ErasedData(
        kind="executions",
        model=TriggerExecution,
        owner=Owner.EXECUTION,
        key="id",
        empty={"subject": "", "parameters": None, "error_message": ""},
    )
)
register_data(
    ErasedData(
        kind="traces",
        model=ExecutionTrace,
        owner=Owner.EXECUTION,
        key="execution_id",
    )
)
register_part(Stage.RESULTS, erase_results)
