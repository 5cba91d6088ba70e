"""Dedupe keys older than duplicates are promised to be recognized."""

from __future__ import annotations

from datetime import datetime

from common.ids import first_id_at, moment_of
from events.models import EventKey
from executions.services.retention.batch import NOTHING_LEFT, Batch, Position, fetch

PAGES = 100

_TABLE = EventKey._meta.db_table
_LAST_PAGE = f"""
SELECT pg_relation_size('"{_TABLE}"') / current_setting('block_size')::bigint
"""
_OLD = """
ctid >= format('(%%s,0)', %(last)s::bigint)::tid
AND ctid < format('(%%s,0)', %(last)s::bigint + %(pages)s::bigint)::tid
AND event_id < %(bound)s
"""
_LOCKED = f"""
SELECT ctid AS place, event_id FROM "{_TABLE}" WHERE {_OLD} FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - our own names
_FOUND = f"""SELECT event_id FROM "{_TABLE}" WHERE {_OLD}"""  # noqa: S608 - our own names
_SUMMARY = (
    "SELECT count(*), (SELECT event_id FROM {0} ORDER BY event_id LIMIT 1) FROM {0}"
)
_DELETE = f"""
WITH old AS MATERIALIZED ({_LOCKED}), gone AS (
    DELETE FROM "{_TABLE}" WHERE ctid = ANY(ARRAY(SELECT place FROM old))
    RETURNING event_id
) {_SUMMARY.format("gone")}
"""  # noqa: S608 - our own names
_COUNT = f"WITH old AS ({_FOUND}) {_SUMMARY.format('old')}"


class OldKeys:
    """Deletes keys of events older than the bound, some pages of the table at a time.

    The table has no index by age: its keys are random, and an index on `event_id` would
    cost each recorded event more than reading the table once a day.
    """

    first: Position = 0

    def __init__(self, before: datetime) -> None:
        self._values = {"bound": first_id_at(before), "pages": PAGES}

    def batch(self, last: Position, *, is_dry: bool) -> Batch:
        assert isinstance(last, int)  # noqa: S101 - as `first`
        [(pages,)] = fetch(_LAST_PAGE, {})
        if last >= pages:
            return NOTHING_LEFT
        values = {**self._values, "last": last}
        [(count, oldest)] = fetch(_COUNT if is_dry else _DELETE, values)
        return Batch(
            last=last + PAGES,
            counts={"keys": count},
            oldest=moment_of(oldest) if oldest else None,
        )
