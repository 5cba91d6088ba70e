"""Bodies that are removed before their events are deleted."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import accumulate
from uuid import UUID

from django.db import connection

from common.ids import first_id_at, moment_of
from executions.models import Retention
from executions.services.retention.ages import Ages
from executions.services.retention.batch import (
    FIRST_ID,
    NOTHING_LEFT,
    ROWS,
    Batch,
    Position,
    fetch,
)
from executions.services.retention.events import (
    BODY_BYTES,
    free_sql,
    free_values,
)

# The bodies of schedule events are our own, and the ledger reads them.
_PAGE = """
SELECT id, body_size, replay_of IS NULL AND source <> 'schedule'
    AND octet_length(body) = body_size AND body_size > 0
FROM events_event WHERE id > %(last)s AND id < %(bound)s ORDER BY id LIMIT %(rows)s
"""
_LOCK = """
SELECT id FROM events_event WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE
"""
# A body of which the event is deleted in the same run is not counted twice.
_FREE = f"""
SELECT e.id FROM unnest(%(ids)s::uuid[]) AS e(id) WHERE {free_sql(ended="never")}
AND NOT (e.id < %(deleted)s AND {free_sql(bound="deleted")}) ORDER BY e.id
"""  # noqa: S608 - our own text


class OldBodies:
    """Removes the bodies of events: `body_size` then says that there was one.

    A run goes on where the last one ended, or before the first body that is needed
    still, so that its cost does not grow with the events whose bodies are gone.
    """

    def __init__(self, before: datetime, ages: Ages, state: Retention) -> None:
        self.first: Position = state.bodies_up_to or FIRST_ID
        self._needed: UUID | None = None
        deleted = first_id_at(ages.history) if ages.history else FIRST_ID
        self._values = {
            **free_values(ages),
            # A task that ended keeps its own parameters: no body is read again.
            "never": ages.now + timedelta(days=1),
            "bound": first_id_at(before),
            "deleted": deleted,
            "rows": ROWS,
        }

    def batch(self, last: Position, *, is_dry: bool) -> Batch:
        page = fetch(_PAGE, {**self._values, "last": last})
        if not page:
            return NOTHING_LEFT
        sizes = [size if has_body else 0 for _, size, has_body in page]
        within = sum(total <= BODY_BYTES for total in accumulate(sizes))
        taken = [(id_, has_body) for id_, _, has_body in page[: max(1, within)]]
        ids = [id_ for id_, has_body in taken if has_body]
        free = self._remove(ids, is_dry=is_dry) if ids else []
        if not is_dry:
            self._note(taken[-1][0], sorted(set(ids) - set(free)))
        return Batch(
            last=taken[-1][0],
            counts={"bodies": len(free)},
            oldest=moment_of(free[0]) if free else None,
        )

    def _remove(self, ids: list[UUID], *, is_dry: bool) -> list[UUID]:
        values = {**self._values, "ids": ids}
        if not is_dry:
            # Redeliveries of these wait, or are committed before the next statement.
            values["ids"] = [row[0] for row in fetch(_LOCK, values)]
        free = [row[0] for row in fetch(_FREE, values)]
        if free and not is_dry:
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE events_event SET body = '' WHERE id = ANY(%s)", [free]
                )
        return free

    def _note(self, last: UUID, needed: list[UUID]) -> None:
        if self._needed is None and needed:
            self._needed = needed[0]
        up_to = UUID(int=self._needed.int - 1) if self._needed else last
        Retention.objects.filter(pk=1).update(bodies_up_to=up_to)
