"""Deletes rows of one table by their own age, keys and deleted triggers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import Model

from access.models import Session
from agents.models import AgentTask
from common.ids import first_id_at, moment_of
from events.models import EventKey
from executions.models import ExecutionTrace
from executions.services.retention.batch import (
    FIRST_ID,
    NOTHING_LEFT,
    ROWS,
    Batch,
    Position,
    fetch,
)
from executions.services.retention.events import unneeded_values
from executions.services.retention.state import Ages
from triggers.models import ScheduleVersion, Trigger
from webhooks.models import PendingFetch, Rejection, RejectionCount

# Rows that another process has locked are left to the next run: the purge never waits
# for row locks in an order that another process chooses.
_OLD_ROWS = """
WITH page AS MATERIALIZED (
    SELECT t.{key} AS key, ({is_old}) AS is_old FROM "{table}" t
    WHERE t.{key} > %(last)s AND {bound} ORDER BY t.{key} LIMIT %(rows)s {lock}
){delete}
SELECT (SELECT key FROM page ORDER BY key DESC LIMIT 1),
    (SELECT key FROM page WHERE is_old ORDER BY key LIMIT 1),
    (SELECT count(*) FROM {counted})
"""
_DELETE_ROWS = """, gone AS (
    DELETE FROM "{table}" WHERE {key} = ANY(ARRAY(SELECT key FROM page WHERE is_old))
    RETURNING 1
)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRows:
    """Deletes the rows of one table for which the condition `is_old` on `t` is true.

    Rows are read in the order of the primary key, as long as `bound` is true.
    """

    kind: str
    model: type[Model]
    is_old: str
    bound: str = "true"
    values: Mapping[str, object] = field(default_factory=dict)
    first: Position = FIRST_ID

    def batch(self, last: Position, *, is_dry: bool) -> Batch:
        values = {**self.values, "last": last, "rows": ROWS}
        [(last_key, oldest, count)] = fetch(self._sql(is_dry=is_dry), values)
        if last_key is None:
            return NOTHING_LEFT
        return Batch(
            last=last_key,
            counts={self.kind: count},
            oldest=moment_of(oldest) if isinstance(oldest, UUID) else None,
        )

    def _sql(self, *, is_dry: bool) -> str:
        meta = self.model._meta
        assert meta.pk is not None  # noqa: S101 - every model has one
        names = {"table": meta.db_table, "key": meta.pk.column}
        return _OLD_ROWS.format(
            **names,
            is_old=self.is_old,
            bound=self.bound,
            lock="" if is_dry else "FOR UPDATE OF t SKIP LOCKED",
            delete="" if is_dry else _DELETE_ROWS.format(**names),
            counted="page WHERE is_old" if is_dry else "gone",
        )


def old_traces(before: datetime, ages: Ages) -> OldRows:
    return OldRows(
        kind="traces",
        model=ExecutionTrace,
        bound="t.execution_id < %(bound)s",
        is_old="""EXISTS (
            SELECT FROM executions_triggerexecution x
            WHERE x.id = t.execution_id AND x.status = ANY(%(final)s::text[]) OFFSET 0
        )""",
        values={"bound": first_id_at(before), "final": unneeded_values(ages)["final"]},
    )


def orphaned_tasks(before: datetime, ages: Ages) -> OldRows:
    """Delete finished tasks that no execution names."""
    return OldRows(
        kind="tasks",
        model=AgentTask,
        bound="t.id < %(bound)s",
        is_old="""t.status = ANY(%(final_tasks)s::text[])
            AND coalesce(t.finished_at, t.created_at) < %(ended)s AND NOT EXISTS (
            SELECT FROM executions_triggerexecution x WHERE x.task_id = t.id OFFSET 0
        )""",
        values={
            "bound": first_id_at(before),
            "final_tasks": unneeded_values(ages)["final_tasks"],
            "ended": before,
        },
    )


def old_rejections(before: datetime) -> OldRows:
    return OldRows(
        kind="rejections",
        model=Rejection,
        bound="t.id < %(bound)s",
        is_old="true",
        values={"bound": first_id_at(before)},
    )


def old_rejection_counts(before: datetime) -> OldRows:
    return OldRows(
        kind="rejection_counts",
        model=RejectionCount,
        is_old="t.hour < %(before)s",
        values={"before": before},
        first=0,
    )


def old_confirmations(before: datetime) -> OldRows:
    """Delete confirmation URLs that were fetched; certificates are kept in use."""
    return OldRows(
        kind="confirmations",
        model=PendingFetch,
        bound="t.id < %(bound)s",
        is_old="t.kind = 'confirmation' AND t.status <> 'pending'",
        values={"bound": first_id_at(before)},
    )


def old_schedule_versions(before: datetime) -> OldRows:
    return OldRows(
        kind="schedule_versions",
        model=ScheduleVersion,
        bound="t.id < %(bound)s",
        is_old="t.valid_to < %(before)s",
        values={"bound": first_id_at(before), "before": before},
    )


def expired_sessions(now: datetime) -> OldRows:
    return OldRows(
        kind="sessions",
        model=Session,
        is_old="t.expire_date < %(now)s",
        values={"now": now},
        first="",
    )


PAGES = 100

_TABLE = EventKey._meta.db_table
_LAST_PAGE = f"""
SELECT pg_relation_size('"{_TABLE}"') / current_setting('block_size')::bigint
"""
_OLD_KEYS = """
ctid >= format('(%%s,0)', %(last)s::bigint)::tid
AND ctid < format('(%%s,0)', %(last)s::bigint + %(pages)s::bigint)::tid
AND event_id < %(bound)s
"""
_LOCKED_KEYS = f"""
SELECT ctid AS place, event_id FROM "{_TABLE}" WHERE {_OLD_KEYS} FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - our own names
_FOUND_KEYS = f"""SELECT event_id FROM "{_TABLE}" WHERE {_OLD_KEYS}"""  # noqa: S608 - our own names
_KEYS_SUMMARY = (
    "SELECT count(*), (SELECT event_id FROM {0} ORDER BY event_id LIMIT 1) FROM {0}"
)
_DELETE_KEYS = f"""
WITH old AS MATERIALIZED ({_LOCKED_KEYS}), gone AS (
    DELETE FROM "{_TABLE}" WHERE ctid = ANY(ARRAY(SELECT place FROM old))
    RETURNING event_id
) {_KEYS_SUMMARY.format("gone")}
"""  # noqa: S608 - our own names
_COUNT_KEYS = f"WITH old AS ({_FOUND_KEYS}) {_KEYS_SUMMARY.format('old')}"


class OldKeys:
    """Deletes keys of events older than the bound, some pages of the table at a time.

    The table has no index by age: its keys are random, and an index on `event_id` would
    cost each recorded event more than reading the table once a day.
    """

    first: Position = 0

    def __init__(self, before: datetime) -> None:
        self._values = {"bound": first_id_at(before), "pages": PAGES}

    def batch(self, last: Position, *, is_dry: bool) -> Batch:
        assert isinstance(last, int)  # noqa: S101 - as `first`
        [(pages,)] = fetch(_LAST_PAGE, {})
        if last >= pages:
            return NOTHING_LEFT
        values = {**self._values, "last": last}
        [(count, oldest)] = fetch(_COUNT_KEYS if is_dry else _DELETE_KEYS, values)
        return Batch(
            last=last + PAGES,
            counts={"keys": count},
            oldest=moment_of(oldest) if oldest else None,
        )


MAX_TRIGGERS = 100

_TRIGGERS_PAGE = """
SELECT id, deleted_at FROM triggers_trigger
WHERE id > %(last)s AND deleted_at < %(before)s ORDER BY id LIMIT %(rows)s
"""
_LOCK_TRIGGERS = "FOR UPDATE SKIP LOCKED"
_UNUSED_TRIGGERS = """
SELECT t.id FROM unnest(%s::uuid[]) AS t(id) WHERE NOT EXISTS (
    SELECT FROM executions_triggerexecution x WHERE x.trigger_id = t.id OFFSET 0
) ORDER BY t.id
"""


class DeletedTriggers:
    """Deletes the rows of triggers that were deleted before the retained history.

    A row stays until the trigger's last execution is deleted, so it goes a run later.
    """

    first: Position = FIRST_ID

    def __init__(self, before: datetime) -> None:
        self._values = {"before": before, "rows": MAX_TRIGGERS}

    def batch(self, last: Position, *, is_dry: bool) -> Batch:
        sql = _TRIGGERS_PAGE if is_dry else _TRIGGERS_PAGE + _LOCK_TRIGGERS
        page = dict(fetch(sql, {**self._values, "last": last}))
        if not page:
            return NOTHING_LEFT
        ids = [row[0] for row in fetch(_UNUSED_TRIGGERS, [list(page)])]
        if not is_dry:
            Trigger.objects.filter(pk__in=ids).delete()
        return Batch(
            last=max(page),
            counts={"triggers": len(ids)},
            oldest=min((page[id_] for id_ in ids), default=None),
        )
