"""Holds back what is over a trigger's hourly limit (a sliding window of one hour)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from django.db import connection

from executions.pipeline.outcome import Outcome, Reason
from triggers.models import Trigger

# Skipped executions don't count; a count stops at the limit.
_USED = """
SELECT v.id, (SELECT count(*) FROM (
    SELECT 1 FROM executions_triggerexecution e
    WHERE e.trigger_id = v.id AND e.status <> 'skipped'
    AND e.executed_at > statement_timestamp() - interval '1 hour' LIMIT v.most
) recent)
FROM unnest(%s::uuid[], %s::bigint[]) AS v(id, most)
"""


def admit(outcomes: Sequence[Outcome]) -> None:
    """Skip what is over the limits, in event order; holds the triggers' admission lock.

    The lock lasts to the end of the transaction, so that the executions counted by the
    next batch are all there. Triggers without a limit are not touched.
    """
    limited: dict[UUID, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.task and outcome.pair.trigger.max_executions_per_hour is not None:
            limited[outcome.trigger_id].append(outcome)
    if not limited:
        return
    _lock(limited)
    used = used_this_hour([group[0].pair.trigger for group in limited.values()])
    for trigger_id, group in limited.items():
        limit = group[0].pair.trigger.max_executions_per_hour or 0
        for outcome in group[max(0, limit - used[trigger_id]) :]:
            outcome.skip(Reason.RATE_LIMITED)


def used_this_hour(triggers: Iterable[Trigger]) -> Mapping[UUID, int]:
    """Return how much of its hourly limit each trigger has used, at most the limit."""
    limits = {t.id: t.max_executions_per_hour or 0 for t in triggers}
    with connection.cursor() as cursor:
        cursor.execute(_USED, [list(limits), list(limits.values())])
        return dict(cursor.fetchall())


def _lock(trigger_ids: Iterable[UUID]) -> None:
    keys = sorted(int.from_bytes(i.bytes[8:], signed=True) for i in trigger_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) key", [keys]
        )
