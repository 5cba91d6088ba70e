"""Counts a trigger's executions, and disables a trigger that fails too often.

A batch inserts small delta rows, and the sweep adds them to the counts. Only
`consecutive_failures` is updated at once, and only for triggers whose executions fail
or failed before: the row of a trigger without failures is never hot.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from access.actors import because
from access.audit.records import record_update
from common.database.sql import database_now, insert_rows
from common.fields import dump_json
from events.models import EventSource
from events.services.record import NewEvent, record_events
from triggers.clock import get_clock
from triggers.models import StatsDelta, Trigger, TriggerStats
from triggers.services.schedule_history import version_boundary, write_inactive_version

logger = logging.getLogger(__name__)

_NAMES = (
    "trigger_id",
    "total",
    "successful",
    "failed",
    "skipped",
    "execution_time_ms_sum",
    "last_execution_at",
)
_FOLD_LOCK = 0x7469636B666F6C64

_FOLD = """
WITH taken AS (
    DELETE FROM triggers_statsdelta WHERE id IN (
        SELECT id FROM triggers_statsdelta ORDER BY id LIMIT 10000
    ) RETURNING *
), summed AS (
    SELECT trigger_id, sum(total) AS total, sum(successful) AS successful,
        sum(failed) AS failed, sum(skipped) AS skipped,
        sum(execution_time_ms_sum) AS ms, max(last_execution_at) AS last
    FROM taken GROUP BY trigger_id
), held AS (
    SELECT s.trigger_id FROM triggers_triggerstats s
    WHERE s.trigger_id IN (SELECT trigger_id FROM summed)
    ORDER BY s.trigger_id FOR NO KEY UPDATE
), folded AS (
    UPDATE triggers_triggerstats s SET
        total_executions = s.total_executions + d.total,
        successful_executions = s.successful_executions + d.successful,
        failed_executions = s.failed_executions + d.failed,
        skipped_executions = s.skipped_executions + d.skipped,
        execution_time_ms_sum = s.execution_time_ms_sum + d.ms,
        last_execution_at = greatest(s.last_execution_at, d.last)
    FROM summed d JOIN held USING (trigger_id) WHERE s.trigger_id = d.trigger_id
)
SELECT (SELECT count(*) FROM taken), (SELECT array_agg(trigger_id) FROM summed)
"""

_DISABLE = """
WITH failing AS (
    SELECT t.id, t.next_scheduled_for, s.consecutive_failures
    FROM triggers_trigger t JOIN triggers_triggerstats s ON s.trigger_id = t.id
    WHERE t.id = ANY(%s) AND t.is_active
    AND s.consecutive_failures >= t.failure_threshold
    ORDER BY t.id FOR NO KEY UPDATE OF t
)
UPDATE triggers_trigger t SET
    is_active = false, active_since = NULL, next_run_time = NULL,
    next_scheduled_for = NULL, version = t.version + 1,
    updated_at = statement_timestamp(),
    disabled_reason = 'auto-disabled after ' || f.consecutive_failures
        || ' consecutive failures'
FROM failing f WHERE t.id = f.id
RETURNING t.id, t.name, f.consecutive_failures, f.next_scheduled_for, t.version,
    t.disabled_reason
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How one execution counts in its trigger's statistics.

    A cancelled execution is neither a success nor a failure nor skipped. A data error
    is a failure that the event caused, not the trigger or its agent: it does not count
    towards auto-disable, so that what a sender sends never disables a trigger.
    """

    trigger: Trigger
    is_success: bool
    is_failure: bool
    is_skipped: bool
    executed_at: datetime
    execution_time_ms: int
    is_data_error: bool = False


def record_runs(runs: Sequence[Run]) -> None:
    """Count a batch's executions, given in event order, for their triggers.

    Called in the transaction that stores the executions.
    """
    by_trigger: dict[UUID, list[Run]] = defaultdict(list)
    for run in runs:
        by_trigger[run.trigger.id].append(run)
    insert_rows(StatsDelta, _NAMES, [_delta(group) for group in by_trigger.values()])
    _count_failures(by_trigger.values())


def fold_stats() -> int:
    """Add up to 10,000 delta rows to the counts and delete them; return how many.

    Returns 0 while another process folds. Passes the triggers that ran to the clock.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_FOLD_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(_FOLD)
        taken, trigger_ids = cursor.fetchone()
        if trigger_ids:
            get_clock().take_over_runs(trigger_ids)
        return int(taken)


def count_failures(trigger_id: UUID, *, failures: int) -> None:
    """Add to a trigger's consecutive failures; disable it at its threshold."""
    stats = TriggerStats.objects.filter(pk=trigger_id)
    stats.update(consecutive_failures=F("consecutive_failures") + failures)
    disable_failing([trigger_id])


def disable_failing(trigger_ids: Sequence[UUID]) -> list[UUID]:
    """Disable the triggers that have reached their failure threshold; return their ids.

    If several workers reach the threshold at once, exactly one disables the trigger and
    emits the event. Unclaimed occurrences do not run.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DISABLE, [list(trigger_ids)])
        disabled = cursor.fetchall()
    for trigger_id, _name, failures, unclaimed, version, reason in disabled:
        logger.error("Trigger %s auto-disabled after %d failures", trigger_id, failures)
        after = version_boundary(unclaimed, database_now())
        write_inactive_version(trigger_id=trigger_id, after=after)
        get_clock().unschedule_trigger(trigger_id)
        old = {"is_active": True, "disabled_reason": "", "version": version - 1}
        with because(reason):
            record_update(Trigger, trigger_id, old=old)
    record_events([_auto_disabled_event(*row[:3]) for row in disabled])
    return [row[0] for row in disabled]


def reset_failures(trigger_ids: Iterable[UUID]) -> None:
    """Set consecutive failures to 0; update only rows that have some."""
    ids = list(trigger_ids)
    if not ids:
        return
    failing = TriggerStats.objects.filter(
        pk__in=ids, consecutive_failures__gt=0
    ).order_by("pk")
    with transaction.atomic():
        held = list(failing.select_for_update().values_list("pk", flat=True))
        if held:
            TriggerStats.objects.filter(pk__in=held).update(consecutive_failures=0)


def lock_stats(trigger_ids: Iterable[UUID]) -> None:
    """Lock the statistics of triggers, in key order.

    Callers that also lock the triggers' own rows lock these first.
    """
    rows = TriggerStats.objects.filter(pk__in=list(trigger_ids)).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk"))


def _count_failures(groups: Iterable[Sequence[Run]]) -> None:
    """Update the consecutive failures; lock the rows in key order.

    A success resets them, unless the result of the task counts: then its creation is
    not a success yet.
    """
    resets: list[UUID] = []
    failures: dict[UUID, int] = {}
    for group in groups:
        trigger = group[0].trigger
        successes = [place for place, run in enumerate(group) if run.is_success]
        after = 0
        if successes and not trigger.count_task_failures:
            resets.append(trigger.id)
            after = successes[-1] + 1
        counted = [r for r in group[after:] if r.is_failure and not r.is_data_error]
        if counted:
            failures[trigger.id] = len(counted)
    if failures:
        lock_stats([*resets, *failures])
    if resets:
        reset_failures(resets)
    for trigger_id in sorted(failures):
        count_failures(trigger_id, failures=failures[trigger_id])


def _delta(group: Sequence[Run]) -> tuple[object, ...]:
    return (
        group[0].trigger.id,
        len(group),
        sum(run.is_success for run in group),
        sum(run.is_failure for run in group),
        sum(run.is_skipped for run in group),
        sum(run.execution_time_ms for run in group),
        max(run.executed_at for run in group),
    )


def _auto_disabled_event(trigger_id: UUID, name: str, failures: int) -> NewEvent:
    payload = {"trigger_id": str(trigger_id), "name": name, "failures": failures}
    return NewEvent(
        type="trigger.auto_disabled",
        source=EventSource.INTERNAL,
        body=dump_json(payload).encode(),
    )
