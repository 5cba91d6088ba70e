"""A trigger's numbers: written as small delta rows, folded by the sweep.

Only `consecutive_failures` is kept at once, and only where something failed or had
failed before, so a trigger that works is never a hot row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from common.database.sql import insert_rows
from triggers.clocks.base import get_clock
from triggers.models import StatsDelta, Trigger, TriggerStats
from triggers.services.auto_disable import disable_failing

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How one execution ended, as far as the trigger's numbers go.

    One that was cancelled is neither success nor failure nor skipped.
    """

    trigger: Trigger
    is_success: bool
    is_failure: bool
    is_skipped: bool
    executed_at: datetime
    execution_time_ms: int


def record_runs(runs: Sequence[Run]) -> None:
    """Add a batch's executions, in event order, to the numbers of their triggers.

    Called in the transaction that stores the executions.
    """
    by_trigger: dict[UUID, list[Run]] = defaultdict(list)
    for run in runs:
        by_trigger[run.trigger.id].append(run)
    insert_rows(StatsDelta, _NAMES, [_delta(group) for group in by_trigger.values()])
    _count_failures(by_trigger.values())


def fold_stats() -> int:
    """Add up to 10,000 delta rows to the numbers; return how many. One at a time.

    The clock hears of the triggers that ran.
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
    """Add to a trigger's consecutive failures; switch it off at its threshold."""
    stats = TriggerStats.objects.filter(pk=trigger_id)
    stats.update(consecutive_failures=F("consecutive_failures") + failures)
    disable_failing([trigger_id])


def reset_failures(trigger_ids: Iterable[UUID]) -> None:
    """Forget consecutive failures, touching only rows that have some."""
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
    """Lock the numbers of triggers, in key order; before the triggers' own rows."""
    rows = TriggerStats.objects.filter(pk__in=list(trigger_ids)).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk"))


def _count_failures(groups: Iterable[Sequence[Run]]) -> None:
    """Keep what a batch says of consecutive failures; rows are locked in key order.

    Where the task's own fate counts, handing a task over is no success yet.
    """
    resets: list[UUID] = []
    failures: dict[UUID, int] = {}
    for group in groups:
        trigger = group[0].trigger
        places = [] if trigger.count_task_failures else _places_of_success(group)
        after = places[-1] + 1 if places else 0
        if places:
            resets.append(trigger.id)
        if failed := sum(run.is_failure for run in group[after:]):
            failures[trigger.id] = failed
    if failures:
        lock_stats([*resets, *failures])
    if resets:
        reset_failures(resets)
    for trigger_id in sorted(failures):
        count_failures(trigger_id, failures=failures[trigger_id])


def _places_of_success(group: Sequence[Run]) -> list[int]:
    return [place for place, run in enumerate(group) if run.is_success]


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
