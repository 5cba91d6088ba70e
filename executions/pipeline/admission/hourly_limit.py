from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db import connection

from triggers.models import Trigger

# A sliding window. Skipped executions don't count; a count stops at the limit.
_USED = """
SELECT v.id, (SELECT count(*) FROM (
    SELECT 1 FROM executions_triggerexecution e
    WHERE e.trigger_id = v.id AND e.status <> 'skipped'
    AND e.executed_at > statement_timestamp() - interval '1 hour' LIMIT v.most
) recent)
FROM unnest(%s::uuid[], %s::bigint[]) AS v(id, most)
"""


def used_this_hour(triggers: Iterable[Trigger]) -> Mapping[UUID, int]:
    """Return how much of its hourly limit each trigger has used, at most the limit."""
    limits = {t.id: t.max_executions_per_hour or 0 for t in triggers}
    with connection.cursor() as cursor:
        cursor.execute(_USED, [list(limits), list(limits.values())])
        return dict(cursor.fetchall())


def left_this_hour(triggers: Iterable[Trigger]) -> Mapping[UUID, int]:
    """Return how many more runs each trigger that has a limit may have now."""
    limited = [t for t in triggers if t.max_executions_per_hour is not None]
    used = used_this_hour(limited) if limited else {}
    return {t.id: (t.max_executions_per_hour or 0) - used[t.id] for t in limited}
