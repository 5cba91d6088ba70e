"""Events older than the history, each with its executions, traces and tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from uuid import UUID

from agents.models import FINAL_TASK_STATUSES
from common.ids import first_id_at, moment_of
from events.models import EventSource
from executions.models import OPEN_STATUSES, ExecutionStatus
from executions.services.retention.ages import Ages
from executions.services.retention.batch import (
    FIRST_ID,
    NOTHING_LEFT,
    ROWS,
    Batch,
    Position,
    delete_by_id,
    fetch,
)

EXECUTIONS = 5_000
BODY_BYTES = 64 * 1024 * 1024

FINAL_STATUSES = [s.value for s in ExecutionStatus if s not in OPEN_STATUSES]
FINAL_TASKS = [s.value for s in FINAL_TASK_STATUSES]

# Statuses are compared as "none of the final ones": an equality with an open status
# would have the planner read a whole partial index of open rows for each event.
_HELD = """(
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

# A replay has no body of its own: it is read through the event that it replays.
_REPLAYED = """EXISTS (
    SELECT FROM events_event r
    WHERE r.replay_of = {id} AND (r.id >= %({bound})s OR {held}) OFFSET 0
)"""

# Locked first, and then looked at by another statement: a redelivery that holds its
# original at that moment is committed before it can be looked for, or skipped.
_PAGE = """
SELECT id FROM events_event WHERE id > %(last)s AND id < %(bound)s
ORDER BY id LIMIT %(rows)s
"""
_LOCK = "FOR UPDATE SKIP LOCKED"


def free_sql(*, bound: str = "bound", ended: str = "ended") -> str:
    """Return a condition on `e.id`: nothing needs the event or its body any more.

    An event is needed while it is in the inbox, while an execution or a task of it is
    not final or ended later than the parameter `ended`, and while a replay of it is
    needed or not older than the parameter `bound`.
    """
    held = _HELD.format(id="e.id", ended=ended)
    held_replay = _HELD.format(id="r.id", ended=ended)
    replayed = _REPLAYED.format(id="e.id", bound=bound, held=held_replay)
    return f"NOT {held} AND NOT {replayed}"


def free_values(ages: Ages) -> dict[str, object]:
    """Return the parameters that `free_sql` needs, except for its bound."""
    return {"final": FINAL_STATUSES, "final_tasks": FINAL_TASKS, "ended": ages.history}


_FREE = f"""
SELECT e.id, e.source, e.body_size, (
    SELECT count(*) FROM executions_triggerexecution x WHERE x.event_id = e.id
) FROM events_event e
WHERE e.id = ANY(%(ids)s::uuid[]) AND {free_sql()} ORDER BY e.id
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
# Two executions may share a task one day: it goes with the last of them.
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
class Row:
    id: UUID
    source: str
    body_size: int
    executions: int


class ExpiredEvents:
    """Deletes events with all that came of them, each event in one transaction."""

    first: Position = FIRST_ID

    def __init__(self, ages: Ages) -> None:
        assert ages.history is not None  # noqa: S101 - the caller's condition
        self._bound = first_id_at(ages.history)
        self._values = {**free_values(ages), "bound": self._bound, "rows": ROWS}
        self._traces_since = first_id_at(ages.traces) if ages.traces else FIRST_ID

    def batch(self, last: Position, *, is_dry: bool) -> Batch:
        page = self._page(last, is_dry=is_dry)
        if not page:
            return NOTHING_LEFT
        free = self._free(page)
        if free and free[0].executions > EXECUTIONS and not is_dry:
            return self._some_executions(free[0])
        rows = free[: _fitting(free)]
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
            last=ids[-1] if len(rows) < len(free) else page[-1],
            counts=counts,
            oldest=moment_of(ids[0]) if ids else None,
        )

    def _page(self, last: Position, *, is_dry: bool) -> list[UUID]:
        sql = _PAGE if is_dry else _PAGE + _LOCK
        return [row[0] for row in fetch(sql, {**self._values, "last": last})]

    def _free(self, page: Sequence[UUID]) -> list[Row]:
        rows = fetch(_FREE, {**self._values, "ids": page})
        return [Row(*row) for row in rows]

    def _some_executions(self, row: Row) -> Batch:
        """Delete some executions of an event that has too many for one batch."""
        executions = fetch(_EXECUTIONS, [[row.id], EXECUTIONS])
        counts = delete_executions(
            executions, is_dry=False, traces_since=self._traces_since
        )
        before = UUID(int=max(0, row.id.int - 1))
        return Batch(last=before, counts=counts, oldest=moment_of(row.id))


class OrphanedExecutions:
    """Deletes final executions whose event is not stored, however that came about."""

    first: Position = FIRST_ID

    def __init__(self, ages: Ages) -> None:
        assert ages.history is not None  # noqa: S101 - the caller's condition
        bound = first_id_at(ages.history)
        self._values = {**free_values(ages), "bound": bound, "rows": ROWS}
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


def _fitting(rows: Sequence[Row]) -> int:
    """Return how many rows, from the first, one batch deletes; at least one.

    Bounded by their executions and bodies as well: a batch holds its locks briefly.
    """
    executions = accumulate(row.executions for row in rows)
    sizes = accumulate(row.body_size for row in rows)
    fits = [
        count <= EXECUTIONS and size <= BODY_BYTES
        for count, size in zip(executions, sizes, strict=True)
    ]
    return max(1, sum(fits))
