"""Recording events, each once per dedupe key, together with their inbox rows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from common.database.sql import columns_of, insert_one_sql, insert_sql
from common.errors import ServiceUnavailable
from common.fields import dump_json
from common.ids import uuid7
from events.models import Event, EventKey, EventSource, Inbox
from events.nudge import nudge_soon


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event about to be recorded. `request` and `options` are JSON text.

    A replay has no body; its `body_size` is that of the event it replays.
    """

    type: str
    source: EventSource
    body: bytes = b""
    content_type: str = "application/json"
    subject: str = ""
    request: str | None = None
    options: str | None = None
    endpoint_id: UUID | None = None
    trigger_id: UUID | None = None
    delivery_id: str = ""
    scheduled_for: datetime | None = None
    cause_id: UUID | None = None
    depth: int = 0
    replay_of: UUID | None = None
    dedupe_key: UUID | None = None
    body_size: int | None = None
    id: UUID = field(default_factory=uuid7)
    correlation_id: UUID = field(default_factory=uuid7)


_RECEIVED_AT = "statement_timestamp()"
_SEPARATE = {"body_size", "dedupe_key"}
_NAMES = tuple(f.name for f in fields(NewEvent) if f.name not in _SEPARATE)
_values = attrgetter(*_NAMES)
_KEYED = (
    f'keyed AS (INSERT INTO "{EventKey._meta.db_table}" (dedupe_key, event_id) '
    "{rows} ON CONFLICT DO NOTHING RETURNING event_id)"
)
_KEYED_ONE = _KEYED.format(rows="VALUES (%s, %s)")
_KEYED_MANY = _KEYED.format(
    rows="SELECT dedupe_key, id FROM wanted WHERE dedupe_key IS NOT NULL"
)
# With OR, PostgreSQL looks ids up in two small hash tables. A single IN becomes a join,
# which may build its hash table from the rows with their bodies.
_IS_NEW = (
    "(v.id IN (SELECT event_id FROM keyed) "
    "OR v.id IN (SELECT id FROM wanted WHERE dedupe_key IS NULL))"
)


_FIND_KNOWN = """
SELECT k.dedupe_key, k.event_id, e.type, e.body, e.body_size
FROM events_eventkey k LEFT JOIN events_event e ON e.id = k.event_id
WHERE k.dedupe_key = ANY(%s)
"""


class KeyExpired(ServiceUnavailable):
    """The key of this event expired during the request; send the request again."""

    code = "key_expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEvent:
    """The event that was recorded under a dedupe key, as far as it is still stored.

    `type` and `body_size` are None if the event is deleted. `body` is None if the event
    or its body is deleted; then the stored body is shorter than `body_size`.
    """

    event_id: UUID
    type: str | None
    body: bytes | None
    body_size: int | None

    def has_body_like(self, body: bytes) -> bool:
        """Return whether the body is equal, as far as the stored data show it."""
        if self.body is not None:
            return self.body == body
        return self.body_size is None or self.body_size == len(body)


def dedupe_key(source: EventSource, scope: object, key: str) -> UUID:
    """Return the key under which an event is recorded once: a hash of the three parts.

    It is a hash because a btree rejects rows over 2.7 KB and senders choose the length.
    """
    text = dump_json([source.value, str(scope), key])
    return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


def record_events(events: Sequence[NewEvent]) -> set[UUID]:
    """Record events and queue them in the inbox; return the ids of the new ones.

    One statement records all of them or none. It omits an event whose dedupe key (or
    id) is known, even if the first event is already deleted, so a second call does
    nothing. Nudges the pipeline after the commit.
    """
    if not events:
        return set()
    # In one order for all callers: those that record the same keys cannot deadlock.
    events = sorted(events, key=lambda event: event.dedupe_key or event.id)
    statement, parameters = _statement(events)
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        recorded = {row[0] for row in cursor.fetchall()}
    if recorded:
        announce_events()
    return recorded


def announce_events() -> None:
    """Nudge the pipeline after the commit of the recorded events."""
    transaction.on_commit(nudge_soon, robust=True)


def recording_sql(*, only: str = "true") -> str:
    """Return CTEs that record events, for a statement that also does something else.

    Their parameters are `event_columns`. `only` is a condition on `id`, `trigger_id`
    and `dedupe_key` of `v`, which has a row per event; other events are omitted. The
    CTE `recorded` has the ids of the new events. Call `announce_events` as well.
    """
    wanted = (
        "wanted AS (SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) "  # noqa: S608 - our own SQL
        f"AS v(id, trigger_id, dedupe_key) WHERE {only})"
    )
    insert = insert_sql(Event, *_NAMES, "body_size", received_at=_RECEIVED_AT)
    return f"{wanted}, {_KEYED_MANY}, {_queued(f'{insert} WHERE {_IS_NEW}')}"


def event_columns(events: Sequence[NewEvent]) -> list[list[object]]:
    """Return the parameters of `recording_sql`: one list per column."""
    wanted = [(event.id, event.trigger_id, event.dedupe_key) for event in events]
    rows = [_row(event) for event in events]
    return columns_of(wanted, width=3) + columns_of(rows, width=len(_NAMES) + 1)


def _statement(events: Sequence[NewEvent]) -> tuple[str, Sequence[Any]]:
    """Return the cheapest statement for these events, and its parameters."""
    first = events[0]
    if len(events) > 1:
        return _record_sql(is_many=True), event_columns(events)
    if first.dedupe_key is None:
        return _record_sql(is_many=False), _row(first)
    keyed = _record_sql(is_many=False, is_keyed=True)
    return keyed, (first.dedupe_key, first.id, *_row(first))


def _row(event: NewEvent) -> tuple[object, ...]:
    size = len(event.body) if event.body_size is None else event.body_size
    return (*_values(event), size)


@cache
def _record_sql(*, is_many: bool, is_keyed: bool = False) -> str:
    if is_many:
        return f"WITH {recording_sql()} SELECT id FROM recorded"  # noqa: S608 - our own SQL
    insert = insert_one_sql(
        Event,
        *_NAMES,
        "body_size",
        once_for="keyed" if is_keyed else "",
        received_at=_RECEIVED_AT,
    )
    keyed = f"{_KEYED_ONE}, " if is_keyed else ""
    return f"WITH {keyed}{_queued(insert)} SELECT id FROM recorded"  # noqa: S608 - our own SQL


def _queued(insert: str) -> str:
    return (
        f"recorded AS ({insert} ON CONFLICT DO NOTHING "  # noqa: S608 - our own SQL
        f'RETURNING id, body_size), queued AS (INSERT INTO "{Inbox._meta.db_table}" '
        "(event_id, deaths, body_size) SELECT id, 0, body_size FROM recorded)"
    )


def find_known(keys: Collection[UUID | None]) -> dict[UUID | None, KnownEvent]:
    """Return the event of each dedupe key; raise KeyExpired if a key has none.

    For keys under which `record_events` just now recorded nothing, as they were known.
    """
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_FIND_KNOWN, [list(keys)])
        rows = cursor.fetchall()
    known = {key: _known(*values) for key, *values in rows}
    if len(known) < len(set(keys)):
        raise KeyExpired
    return known


def _known(
    event_id: UUID, type_: str | None, body: memoryview | None, size: int | None
) -> KnownEvent:
    is_whole = body is not None and len(body) == size
    return KnownEvent(
        event_id=event_id,
        type=type_,
        body=bytes(body) if body is not None and is_whole else None,
        body_size=size,
    )
