"""Triggers that were deleted long ago and that no execution names any more."""

from __future__ import annotations

from datetime import datetime

from executions.services.retention.batch import (
    FIRST_ID,
    NOTHING_LEFT,
    Batch,
    Position,
    fetch,
)
from triggers.models import Trigger

ROWS = 100

_PAGE = """
SELECT id, deleted_at FROM triggers_trigger
WHERE id > %(last)s AND deleted_at < %(before)s ORDER BY id LIMIT %(rows)s
"""
_LOCK = "FOR UPDATE SKIP LOCKED"
_UNUSED = """
SELECT t.id FROM unnest(%s::uuid[]) AS t(id) WHERE NOT EXISTS (
    SELECT FROM executions_triggerexecution x WHERE x.trigger_id = t.id OFFSET 0
) ORDER BY t.id
"""


class DeletedTriggers:
    """Deletes the rows of triggers that were deleted before the history that is kept.

    A trigger stays until its last execution is deleted, so it goes a run later.
    """

    first: Position = FIRST_ID

    def __init__(self, before: datetime) -> None:
        self._values = {"before": before, "rows": ROWS}

    def batch(self, last: Position, *, is_dry: bool) -> Batch:
        sql = _PAGE if is_dry else _PAGE + _LOCK
        page = dict(fetch(sql, {**self._values, "last": last}))
        if not page:
            return NOTHING_LEFT
        ids = [row[0] for row in fetch(_UNUSED, [list(page)])]
        if not is_dry:
            Trigger.objects.filter(pk__in=ids).delete()
        return Batch(
            last=max(page),
            counts={"triggers": len(ids)},
            oldest=min((page[id_] for id_ in ids), default=None),
        )
