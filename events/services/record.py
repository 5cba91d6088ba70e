from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from common.database.sql import columns_of, insert_one_sql, insert_sql
from common.fields import dump_json
from common.ids import uuid7
from events.models import Event, EventKey, EventSource, Inbox
from events.nudge import nudge_soon


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event about to be recorded. `request` and `options` are JSON text.

    A replay has no body of its own, and the `body_size` of the event it replays.
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
_APART = {"body_size", "dedupe_key"}
_NAMES = tuple(f.name for f in fields(NewEvent) if f.name not in _APART)
_values = attrgetter(*_NAMES)
_KEYED = (
    f'keyed AS (INSERT INTO "{EventKey._meta.db_table}" (dedupe_key, event_id) '
    "{rows} ON CONFLICT DO NOTHING RETURNING event_id)"
)
_KEYED_ONE = _KEYED.format(rows="VALUES (%s, %s)")
_KEYED_MANY = _KEYED.format(
    rows="SELECT dedupe_key, id FROM wanted WHERE dedupe_key IS NOT NULL"
)
# With OR, PostgreSQL looks ids up in two small hash tables. A single IN would become a
# join, which may build its hash table from the rows with their bodies.
_IS_NEW = (
    "(v.id IN (SELECT event_id FROM keyed) "
    "OR v.id IN (SELECT id FROM wanted WHERE dedupe_key IS NULL))"
)


def dedupe_key(source: EventSource, scope: object, key: str) -> UUID:
    """Return the key under which something can happen once: a hash of its three parts.

    Hashed, because a btree refuses rows over 2.7 KB and senders choose the length.
    """
    text = dump_json([source.value, str(scope), key])
    return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


def record_events(events: Sequence[NewEvent]) -> set[UUID]:
    """Record events and queue them in the inbox; return the ids of the new ones.

    One statement, so all or nothing. An event whose dedupe key (or id) is known is left
    out, even if the first event is deleted by now; the second call does nothing. The
    pipeline is nudged after the commit.
    """
    if not events:
        return set()
    # In one order for all: who records the same keys at once waits, and for one only.
    events = sorted(events, key=lambda event: event.dedupe_key or event.id)
    statement, parameters = _statement(events)
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        recorded = {row[0] for row in cursor.fetchall()}
    if recorded:
        announce_events()
    return recorded


def announce_events() -> None:
    """Nudge the pipeline after the commit of what was recorded."""
    transaction.on_commit(nudge_soon, robust=True)


def recording_sql(*, only: str = "true") -> str:
    """Return CTEs that record events: for a statement that does more than that.

    Their parameters are `event_columns`. `only` is a condition on `id`, `trigger_id`
    and `dedupe_key` of `v`, a row per event; the others are left out. The ids of the
    events that were new are in `recorded`. Call `announce_events` as well.
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
    """Return the leanest statement for these events, and its parameters."""
    first = events[0]
    if len(events) > 1:
        return _many_sql(), event_columns(events)
    if first.dedupe_key is None:
        return _one_sql(), _row(first)
    return _one_keyed_sql(), (first.dedupe_key, first.id, *_row(first))


def _row(event: NewEvent) -> tuple[object, ...]:
    size = len(event.body) if event.body_size is None else event.body_size
    return (*_values(event), size)


@cache
def _many_sql() -> str:
    return f"WITH {recording_sql()} SELECT id FROM recorded"  # noqa: S608 - our own SQL


@cache
def _one_sql() -> str:
    insert = insert_one_sql(Event, *_NAMES, "body_size", received_at=_RECEIVED_AT)
    return f"WITH {_queued(insert)} SELECT id FROM recorded"  # noqa: S608 - our own SQL


@cache
def _one_keyed_sql() -> str:
    names = (*_NAMES, "body_size")
    insert = insert_one_sql(Event, *names, once_for="keyed", received_at=_RECEIVED_AT)
    return f"WITH {_KEYED_ONE}, {_queued(insert)} SELECT id FROM recorded"  # noqa: S608 - our own SQL


def _queued(insert: str) -> str:
    return (
        f"recorded AS ({insert} ON CONFLICT DO NOTHING "  # noqa: S608 - our own SQL
        f'RETURNING id, body_size), queued AS (INSERT INTO "{Inbox._meta.db_table}" '
        "(event_id, deaths, body_size) SELECT id, 0, body_size FROM recorded)"
    )
