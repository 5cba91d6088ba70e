"""Rows of one table that are deleted by their own age."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.contrib.sessions.models import Session
from django.db.models import Model

from agents.models import AgentTask
from common.ids import first_id_at, moment_of
from executions.models import ExecutionTrace
from executions.services.retention.ages import Ages
from executions.services.retention.batch import (
    FIRST_ID,
    NOTHING_LEFT,
    ROWS,
    Batch,
    Position,
    fetch,
)
from executions.services.retention.events import free_values
from triggers.models import ScheduleVersion
from webhooks.models import PendingFetch, Rejection, RejectionCount

# Rows that another process has locked are left to the next run: the purge never waits
# for locks of rows in an order that is not its own.
_SQL = """
WITH page AS MATERIALIZED (
    SELECT t.{key} AS key, ({is_old}) AS is_old FROM "{table}" t
    WHERE t.{key} > %(last)s AND {bound} ORDER BY t.{key} LIMIT %(rows)s {lock}
){delete}
SELECT (SELECT key FROM page ORDER BY key DESC LIMIT 1),
    (SELECT key FROM page WHERE is_old ORDER BY key LIMIT 1),
    (SELECT count(*) FROM {counted})
"""
_DELETE = """, gone AS (
    DELETE FROM "{table}" WHERE {key} = ANY(ARRAY(SELECT key FROM page WHERE is_old))
    RETURNING 1
)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRows:
    """Deletes the rows of one table that a condition on `t` calls old.

    They are looked at in the order of the primary key; `bound` says where that may end.
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
        return _SQL.format(
            **names,
            is_old=self.is_old,
            bound=self.bound,
            lock="" if is_dry else "FOR UPDATE OF t SKIP LOCKED",
            delete="" if is_dry else _DELETE.format(**names),
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
        values={"bound": first_id_at(before), "final": free_values(ages)["final"]},
    )


def orphaned_tasks(before: datetime, ages: Ages) -> OldRows:
    """Tasks that ended and that no execution names."""
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
            "final_tasks": free_values(ages)["final_tasks"],
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
    """Confirmation URLs that were called; certificates are used until replaced."""
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
