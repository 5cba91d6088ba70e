"""Deletes expired events with their executions, traces and tasks; removes bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from uuid import UUID

from django.db import connection

from agents.models import FINAL_TASK_STATUSES
from common.ids import first_id_at, moment_of
from events.models import EventSource
from executions.models import OPEN_STATUSES, ExecutionStatus, Retention
from executions.services.retention.batch import (
    FIRST_ID,
    NOTHING_LEFT,
    ROWS,
    Batch,
    Position,
    delete_by_id,
    fetch,
)
from executions.services.retention.state import Ages

EXECUTIONS = 5_000
BODY_BYTES = 64 * 1024 * 1024

FINAL_STATUSES = [s.value for s in ExecutionStatus if s not in OPEN_STATUSES]
FINAL_TASKS = [s.value for s in FINAL_TASK_STATUSES]

# Statuses are compared with all final ones: for a comparison with an open status, the
# planner would read a whole partial index of open rows for each event.
_IN_USE = """(
    EXISTS (SELECT FROM events_inbox i WHERE i.event_id = {id} OFFSET 0)
    OR EXISTS (
        SELECT FROM executions_triggerexecution x
        LEFT JOIN agents_agenttask t ON t.id = x.task_id
        WHERE x.event_id = {id} AND (
            x.status <> ALL(%(final)s::text[])
            OR t.status <> ALL(%(final_tasks)s::text[])
            OR coalesce(t.finished_at, t.created_at) >= %({ended})s
        ) OFFSET 0
    )
)"""

# A replay has no own body: its body is that of the event that it replays.
_REPLAYED = """EXISTS (
    SELECT FROM events_event r
    WHERE r.replay_of = {id} AND (r.id >= %({bound})s OR {in_use}) OFFSET 0
)"""

# One statement locks the events, and another checks them: a redelivery that holds a
# lock on its original is skipped, or was committed before the check.
_PAGE = """
SELECT id FROM events_event WHERE id > %(last)s AND id < %(bound)s
ORDER BY id LIMIT %(rows)s
"""
_LOCK = "FOR UPDATE SKIP LOCKED"


def unneeded_sql(*, bound: str = "bound", ended: str = "ended") -> str:
    """Return a condition on `e.id`: nothing needs the event or its body any longer.

    An event is needed while it is in the inbox, while an execution or a task of it is
    not final or ended later than the parameter `ended`, and while a replay of it is
    needed or not older than the parameter `bound`.
    """
    in_use = _IN_USE.format(id="e.id", ended=ended)
    replay_in_use = _IN_USE.format(id="r.id", ended=ended)
    replayed = _REPLAYED.format(id="e.id", bound=bound, in_use=replay_in_use)
    return f"NOT {in_use} AND NOT {replayed}"


def unneeded_values(ages: Ages) -> dict[str, object]:
    """Return the parameters of `unneeded_sql`, except for its bound."""
    return {"final": FINAL_STATUSES, "final_tasks": FINAL_TASKS, "ended": ages.history}


_UNNEEDED_EVENTS = f"""
SELECT e.id, e.source, e.body_size, (
    SELECT count(*) FROM executions_triggerexecution x WHERE x.event_id = e.id
) FROM events_event e
WHERE e.id = ANY(%(ids)s::uuid[]) AND {unneeded_sql()} ORDER BY e.id
"""  # noqa: S608 - our own text

_EXECUTIONS = """
SELECT id, task_id FROM executions_triggerexecution WHERE event_id = ANY(%s)
LIMIT %s::bigint
"""
_ORPHANS = """
SELECT x.id, x.task_id,
    x.status = ANY(%(final)s::text[])
    AND NOT EXISTS (SELECT FROM events_event e WHERE e.id = x.event_id OFFSET 0)
    AND (t.id IS NULL OR t.status = ANY(%(final_tasks)s::text[]))
    AND (t.id IS NULL OR coalesce(t.finished_at, t.created_at) < %(ended)s)
FROM (
    SELECT id, event_id, task_id, status FROM executions_triggerexecution
    WHERE id > %(last)s AND id < %(bound)s ORDER BY id LIMIT %(rows)s
) x LEFT JOIN agents_agenttask t ON t.id = x.task_id ORDER BY x.id
"""
# Executions of one batch will share a task: it is deleted with the last of them.
_UNUSED_TASKS = """
SELECT t.id FROM unnest(%s::uuid[]) AS t(id) WHERE NOT EXISTS (
    SELECT FROM executions_triggerexecution x WHERE x.task_id = t.id OFFSET 0
)
"""
_COUNT_TRACES = """
SELECT count(*) FROM executions_executiontrace
WHERE execution_id = ANY(%s) AND execution_id >= %s
"""


@dataclass(frozen=True, slots=True)
class _ExpiredEvent:
    id: UUID
    source: str
    body_size: int
    executions: int


class ExpiredEvents:
    """Deletes events with their executions, each event in one transaction."""

    first: Position = FIRST_ID

    def __init__(self, ages: Ages) -> None:
        assert ages.history is not None  # noqa: S101 - the caller's condition
        self._bound = first_id_at(ages.history)
        self._values = {**unneeded_values(ages), "bound": self._bound, "rows": ROWS}
        self._traces_since = first_id_at(ages.traces) if ages.traces else FIRST_ID

    def batch(self, last: Position, *, is_dry: bool) -> Batch:
        sql = _PAGE if is_dry else _PAGE + _LOCK
        page = [row[0] for row in fetch(sql, {**self._values, "last": last})]
        if not page:
            return NOTHING_LEFT
        found = fetch(_UNNEEDED_EVENTS, {**self._values, "ids": page})
        unneeded = [_ExpiredEvent(*row) for row in found]
        if unneeded and unneeded[0].executions > EXECUTIONS and not is_dry:
            return self._some_executions(unneeded[0])
        rows = unneeded[: _fitting(unneeded)]
        ids = [row.id for row in rows]
        executions = fetch(_EXECUTIONS, [ids, None])
        counts = {
            "events": len(ids),
            "deliveries": sum(row.source == EventSource.WEBHOOK for row in rows),
            **delete_executions(
                executions, is_dry=is_dry, traces_since=self._traces_since
            ),
        }
        if not is_dry:
            delete_by_id("events_event", ids)
        return Batch(
            last=ids[-1] if len(rows) < len(unneeded) else page[-1],
            counts=counts,
            oldest=moment_of(ids[0]) if ids else None,
        )

    def _some_executions(self, row: _ExpiredEvent) -> Batch:
        """Delete some executions of an event that has too many for one batch."""
        executions = fetch(_EXECUTIONS, [[row.id], EXECUTIONS])
        counts = delete_executions(
            executions, is_dry=False, traces_since=self._traces_since
        )
        before = UUID(int=max(0, row.id.int - 1))
        return Batch(last=before, counts=counts, oldest=moment_of(row.id))


class OrphanedExecutions:
    """Deletes final executions whose event is not stored, for whatever reason."""

    first: Position = FIRST_ID

    def __init__(self, ages: Ages) -> None:
        assert ages.history is not None  # noqa: S101 - the caller's condition
        bound = first_id_at(ages.history)
        self._values = {**unneeded_values(ages), "bound": bound, "rows": ROWS}
        self._traces_since = first_id_at(ages.traces) if ages.traces else FIRST_ID

    def batch(self, last: Position, *, is_dry: bool) -> Batch:
        page = fetch(_ORPHANS, {**self._values, "last": last})
        if not page:
            return NOTHING_LEFT
        rows = [(id_, task_id) for id_, task_id, is_orphan in page if is_orphan]
        counts = delete_executions(rows, is_dry=is_dry, traces_since=self._traces_since)
        oldest = moment_of(rows[0][0]) if rows else None
        return Batch(last=page[-1][0], counts=counts, oldest=oldest)


def delete_executions(
    rows: Sequence[tuple[UUID, UUID | None]], *, is_dry: bool, traces_since: UUID
) -> Mapping[str, int]:
    """Delete executions with their traces and tasks; return how many of each.

    A dry run leaves older traces to the step that deletes these first.
    """
    ids = [execution_id for execution_id, _ in rows]
    task_ids = [task_id for _, task_id in rows if task_id]
    if is_dry:
        [[traces]] = fetch(_COUNT_TRACES, [ids, traces_since])
        return {"executions": len(ids), "traces": traces, "tasks": len(set(task_ids))}
    traces = delete_by_id("executions_executiontrace", ids, key="execution_id")
    delete_by_id("executions_triggerexecution", ids)
    unused = [row[0] for row in fetch(_UNUSED_TASKS, [task_ids])]
    tasks = delete_by_id("agents_agenttask", unused)
    return {"executions": len(ids), "traces": traces, "tasks": tasks}


def _fitting(rows: Sequence[_ExpiredEvent]) -> int:
    """Return how many rows, from the first, one batch deletes; at least one.

    Their executions and bodies are bounded, too, so that a batch holds locks briefly.
    """
    executions = accumulate(row.executions for row in rows)
    sizes = accumulate(row.body_size for row in rows)
    fits = [
        count <= EXECUTIONS and size <= BODY_BYTES
        for count, size in zip(executions, sizes, strict=True)
    ]
    return max(1, sum(fits))


# The bodies of schedule events are Tickhook's own, and the ledger reads them.
_BODIES_PAGE = """
SELECT id, body_size, replay_of IS NULL AND source <> 'schedule'
    AND octet_length(body) = body_size AND body_size > 0
FROM events_event WHERE id > %(last)s AND id < %(bound)s ORDER BY id LIMIT %(rows)s
"""
_LOCK_EVENTS = """
SELECT id FROM events_event WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE
"""
# If an event is deleted in the same run, its body is not counted, too.
_UNNEEDED_BODIES = f"""
SELECT e.id FROM unnest(%(ids)s::uuid[]) AS e(id) WHERE {unneeded_sql(ended="never")}
AND NOT (e.id < %(deleted)s AND {unneeded_sql(bound="deleted")}) ORDER BY e.id
"""  # noqa: S608 - our own text


class OldBodies:
    """Removes the bodies of events; `body_size` still says that there was one.

    A run continues where the last one ended, or before the first body that is still
    needed. So its cost does not grow with the events whose bodies are removed.
    """

    def __init__(self, before: datetime, ages: Ages, state: Retention) -> None:
        self.first: Position = state.bodies_up_to or FIRST_ID
        self._needed: UUID | None = None
        deleted = first_id_at(ages.history) if ages.history else FIRST_ID
        self._values = {
            **unneeded_values(ages),
            # A task that ended keeps its own parameters: no body is read again.
            "never": ages.now + timedelta(days=1),
            "bound": first_id_at(before),
            "deleted": deleted,
            "rows": ROWS,
        }

    def batch(self, last: Position, *, is_dry: bool) -> Batch:
        page = fetch(_BODIES_PAGE, {**self._values, "last": last})
        if not page:
            return NOTHING_LEFT
        sizes = [size if has_body else 0 for _, size, has_body in page]
        within = sum(total <= BODY_BYTES for total in accumulate(sizes))
        taken = [(id_, has_body) for id_, _, has_body in page[: max(1, within)]]
        ids = [id_ for id_, has_body in taken if has_body]
        unneeded = self._remove(ids, is_dry=is_dry) if ids else []
        last = taken[-1][0]
        if not is_dry:
            needed = sorted(set(ids) - set(unneeded))
            self._needed = self._needed or next(iter(needed), None)
            up_to = UUID(int=self._needed.int - 1) if self._needed else last
            Retention.objects.filter(pk=1).update(bodies_up_to=up_to)
        return Batch(
            last=last,
            counts={"bodies": len(unneeded)},
            oldest=moment_of(unneeded[0]) if unneeded else None,
        )

    def _remove(self, ids: list[UUID], *, is_dry: bool) -> list[UUID]:
        values = {**self._values, "ids": ids}
        if not is_dry:
            # Redeliveries of these wait, or are committed before the next statement.
            values["ids"] = [row[0] for row in fetch(_LOCK_EVENTS, values)]
        unneeded = [row[0] for row in fetch(_UNNEEDED_BODIES, values)]
        if unneeded and not is_dry:
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE events_event SET body = '' WHERE id = ANY(%s)", [unneeded]
                )
        return unneeded
