"""What an erasure leaves of the events of a subject: a tombstone.

The events of a subject carry it. Those without a subject belong to the subject of the
endpoint that received them, or of the trigger that they are aimed at.

An event keeps its subject until all that came of it is erased, so that an erasure that
was interrupted finds it again. Then the subject is empty, and no event carries it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from access.erasure import (
    ROWS,
    Batch,
    Owner,
    Scope,
    Stage,
    register_columns,
    register_part,
)
from events.models import Event

_FIRST_ID = UUID(int=0)


class _Source(NamedTuple):
    """A condition that finds events of a subject by an index, and its value."""

    sql: str
    value: object


_COLUMNS = {Owner.ENDPOINT: "endpoint_id", Owner.TRIGGER: "trigger_id"}

_PAGE = """
SELECT id FROM events_event WHERE {source} AND {state} AND id > %(last)s
ORDER BY id LIMIT %(rows)s
"""

# A redelivery holds a lock on its original, so it is recorded before, or finds no body.
# The bodies of schedule events are Tickhook's own, and the ledger reads them.
_ERASE = """
WITH page AS MATERIALIZED ({page} FOR UPDATE)
UPDATE events_event SET erased_at = statement_timestamp(), content_type = '',
    body = CASE source WHEN 'schedule' THEN body ELSE '' END,
    request = NULL, options = NULL, delivery_id = ''
WHERE id = ANY(ARRAY(SELECT id FROM page))
RETURNING id
"""

_FORGET_SUBJECT = """
WITH held AS MATERIALIZED (
    SELECT id FROM events_event e WHERE id = ANY(%s) AND erased_at IS NOT NULL
    AND NOT EXISTS (SELECT FROM events_inbox i WHERE i.event_id = e.id)
    ORDER BY id FOR UPDATE
)
UPDATE events_event SET subject = ''
WHERE id = ANY(ARRAY(SELECT id FROM held)) AND subject <> ''
"""


def erase_events(scope: Scope, is_dry: bool) -> Iterator[Batch]:
    """Replace the payloads of all events of a subject that are not erased yet."""
    for source in _sources(scope):
        page = _PAGE.format(source=source.sql, state="erased_at IS NULL")
        sql = page if is_dry else _ERASE.format(page=page)
        for ids in _walk(sql, source, rows=ROWS):
            yield Batch(kind="events", rows=len(ids))


def pages_of_events(
    scope: Scope, *, rows: int, is_erased: bool
) -> Iterator[Sequence[UUID]]:
    """Yield the ids of all events of a subject, or only of its erased events."""
    state = "erased_at IS NOT NULL" if is_erased else "true"
    for source in _sources(scope):
        page = _PAGE.format(source=source.sql, state=state)
        yield from _walk(page, source, rows=rows)


def forget_subject(event_ids: Sequence[UUID]) -> None:
    """Empty the subject of erased events that are processed.

    The caller has erased what came of them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FORGET_SUBJECT, [list(event_ids)])


def _sources(scope: Scope) -> Iterator[_Source]:
    """Yield what finds each event of a subject once.

    Those with the subject come last: when it is emptied, the other sources, too, would
    find their events.
    """
    for owner, column in _COLUMNS.items():
        for id_ in scope.ids[owner]:
            yield _Source(f"{column} = %(value)s AND subject = ''", id_)
    # The planner uses the partial index only if the query repeats its condition.
    yield _Source("subject = %(value)s AND subject <> ''", scope.subject)


def _walk(sql: str, source: _Source, *, rows: int) -> Iterator[Sequence[UUID]]:
    last = _FIRST_ID
    while True:
        values: dict[str, Any] = {"value": source.value, "last": last, "rows": rows}
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            ids = sorted(row[0] for row in cursor.fetchall())
        if not ids:
            return
        yield ids
        last = ids[-1]


register_columns(
    Event, ("subject", "body", "content_type", "request", "options", "delivery_id")
)
register_part(Stage.EVENTS, erase_events)
