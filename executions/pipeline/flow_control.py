"""Reads how many runs the overlap policy and the hourly limit of triggers allow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from agents.services.run import busy_tasks
from executions.models import WAITS_FOR_ITS_TURN, TriggerExecution
from executions.pipeline.new_execution import Pair
from executions.pipeline.parameters import options_of
from triggers.models import Overlap, Trigger

# A single transaction must be able to cancel or start all waiting runs.
MAX_WAITING = 1000

# PostgreSQL keeps all locks in one table of some thousands of entries, and one event
# may concern more triggers than that. So triggers share locks.
LOCKS = 1024
_ADMISSION = 0x61646D69

# A sliding window. Skipped executions do not count; counting stops at the limit.
_USED = """
SELECT v.id, (SELECT count(*) FROM (
    SELECT 1 FROM executions_triggerexecution e
    WHERE e.trigger_id = v.id AND e.status <> 'skipped'
    AND e.executed_at > statement_timestamp() - interval '1 hour' LIMIT v.most
) recent)
FROM unnest(%s::uuid[], %s::bigint[]) AS v(id, most)
"""

_WAITING = """
SELECT v.id, (SELECT count(*) FROM (
    SELECT 1 FROM executions_triggerexecution e
    WHERE e.trigger_id = v.id AND e.status = 'pending' AND e.reason = 'overlap'
    LIMIT v.most
) counted)
FROM unnest(%s::uuid[], %s::bigint[]) AS v(id, most)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRun:
    """A stored run that is under way or waits; `cancel_previous` cancels it."""

    event_id: UUID
    task_id: UUID


def policy_of(pair: Pair) -> str:
    """Return the overlap policy for a pair; a backfill may override the trigger's."""
    policy: str = options_of(pair.event).get("overlap") or pair.trigger.overlap
    return policy


def has_flow_control(pair: Pair) -> bool:
    is_limited = pair.trigger.max_executions_per_hour is not None
    return is_limited or policy_of(pair) != Overlap.ALLOW


def lock_admission(trigger_ids: Iterable[UUID]) -> None:
    """Lock the admission of runs of these triggers until this transaction ends.

    The holder sees all runs that were admitted before, and only a holder changes tasks
    that are held back. The locks are taken before any row is locked, in the order of
    their keys, so that they cannot deadlock.
    """
    keys = sorted({trigger_id.int % LOCKS for trigger_id in trigger_ids})
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(%s, key) FROM unnest(%s::int[]) key",
                [_ADMISSION, keys],
            )


def used_this_hour(triggers: Iterable[Trigger]) -> Mapping[UUID, int]:
    """Return how much of its hourly limit each trigger has used, at most the limit."""
    limits = {t.id: t.max_executions_per_hour or 0 for t in triggers}
    with connection.cursor() as cursor:
        cursor.execute(_USED, [list(limits), list(limits.values())])
        return dict(cursor.fetchall())


def left_this_hour(triggers: Iterable[Trigger]) -> Mapping[UUID, int]:
    """Return how many more runs each trigger that has a limit may start now."""
    limited = [t for t in triggers if t.max_executions_per_hour is not None]
    used = used_this_hour(limited) if limited else {}
    return {t.id: (t.max_executions_per_hour or 0) - used[t.id] for t in limited}


def count_waiting(trigger_ids: Collection[UUID]) -> Mapping[UUID, int]:
    """Return how many runs of each trigger wait for their turn.

    Counting stops at one above the maximum: the admission counts one of the waiting
    runs as running if none is running.
    """
    most = [MAX_WAITING + 1] * len(trigger_ids)
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [list(trigger_ids), most])
        return dict(cursor.fetchall())


def find_earlier(trigger_ids: Collection[UUID]) -> Mapping[UUID, list[EarlierRun]]:
    """Return the runs of each trigger that are under way or wait for their turn."""
    under_way = TriggerExecution.objects.filter(task__in=busy_tasks(trigger_ids))
    waiting = TriggerExecution.objects.filter(
        WAITS_FOR_ITS_TURN, trigger_id__in=list(trigger_ids)
    )
    names = ("trigger_id", "event_id", "task_id")
    found: dict[UUID, list[EarlierRun]] = defaultdict(list)
    for rows in (under_way, waiting):
        for trigger_id, event_id, task_id in rows.order_by().values_list(*names):
            found[trigger_id].append(EarlierRun(event_id=event_id, task_id=task_id))
    return found
