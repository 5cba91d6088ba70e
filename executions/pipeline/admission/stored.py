"""What earlier batches admitted of a trigger's runs, and has not ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from uuid import UUID

from django.db import connection

from agents.services.run import busy_tasks
from executions.models import WAITS_FOR_ITS_TURN, TriggerExecution
from executions.pipeline.admission.lane import MAX_WAITING, Earlier

_WAITING = """
SELECT v.id, (SELECT count(*) FROM (
    SELECT 1 FROM executions_triggerexecution e
    WHERE e.trigger_id = v.id AND e.status = 'pending' AND e.reason = 'overlap'
    LIMIT v.most
) counted)
FROM unnest(%s::uuid[], %s::bigint[]) AS v(id, most)
"""


def count_waiting(trigger_ids: Collection[UUID]) -> Mapping[UUID, int]:
    """Return how many runs of each trigger wait for their turn, as far as it matters.

    One too many may wait while nothing is in its way; a count stops there.
    """
    most = [MAX_WAITING + 1] * len(trigger_ids)
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [list(trigger_ids), most])
        return dict(cursor.fetchall())


def find_earlier(trigger_ids: Collection[UUID]) -> Mapping[UUID, list[Earlier]]:
    """Return the runs of each trigger that are under way or wait."""
    under_way = TriggerExecution.objects.filter(task__in=busy_tasks(trigger_ids))
    waiting = TriggerExecution.objects.filter(
        WAITS_FOR_ITS_TURN, trigger_id__in=list(trigger_ids)
    )
    names = ("trigger_id", "event_id", "task_id")
    found: dict[UUID, list[Earlier]] = defaultdict(list)
    for rows in (under_way, waiting):
        for trigger_id, event_id, task_id in rows.order_by().values_list(*names):
            found[trigger_id].append(Earlier(event_id=event_id, task_id=task_id))
    return found
