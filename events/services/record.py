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

from common.bulk import columns_of, insert_one_sql, insert_sql
from common.fields import dump_json
from common.ids import uuid7
from events.models import Event, EventSource, Inbox
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


_NAMES = tuple(f.name for f in fields(NewEvent) if f.name != "body_size")
_values = attrgetter(*_NAMES)


def dedupe_key(source: EventSource, scope: object, key: str) -> UUID:
    """Return the key under which something can happen once: a hash of its three parts.

    Hashed, because a btree refuses rows over 2.7 KB and senders choose the length.
    """
    text = dump_json([source.value, str(scope), key])
    return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


def record_events(events: Sequence[NewEvent]) -> set[UUID]:
    """Record events and queue them in the inbox; return the ids of the new ones.

    One statement, so all or nothing. An event whose dedupe key (or id) is known is left
    out; the second call does nothing. The pipeline is nudged after the commit.
    """
    if not events:
        return set()
    is_one = len(events) == 1
    # In one order for all: who records the same keys at once waits, and for one only.
    events = sorted(events, key=lambda event: event.dedupe_key or event.id)
    with connection.cursor() as cursor:
        cursor.execute(_record_sql(is_one=is_one), _parameters(events))
        recorded = {row[0] for row in cursor.fetchall()}
    if recorded:
        announce_events()
    return recorded


def announce_events() -> None:
    """Nudge the pipeline after the commit of what was recorded."""
    transaction.on_commit(nudge_soon, robust=True)


def recording_sql(*, only: str = "") -> str:
    """Return CTEs that record events: for a statement that does more than that.

    Their parameters are `event_columns`. `only` says which of `v` (a row an event) are
    recorded; the ids of those that were new are in `recorded`. `announce_events` goes
    with it.
    """
    insert = _insert_sql(is_one=False)
    return _queued(f"{insert} WHERE {only}" if only else insert)


def event_columns(events: Sequence[NewEvent]) -> list[list[object]]:
    return columns_of([_row(event) for event in events], width=len(_NAMES) + 1)


def _parameters(events: Sequence[NewEvent]) -> list[Any]:
    return list(_row(events[0])) if len(events) == 1 else event_columns(events)


def _row(event: NewEvent) -> tuple[object, ...]:
    size = len(event.body) if event.body_size is None else event.body_size
    return (*_values(event), size)


@cache
def _record_sql(*, is_one: bool) -> str:
    return f"WITH {_queued(_insert_sql(is_one=is_one))} SELECT id FROM recorded"  # noqa: S608


def _insert_sql(*, is_one: bool) -> str:
    write = insert_one_sql if is_one else insert_sql
    return write(Event, *_NAMES, "body_size", received_at="statement_timestamp()")


def _queued(insert: str) -> str:
    return (
        f"recorded AS ({insert} ON CONFLICT DO NOTHING RETURNING id), "  # noqa: S608
        f'queued AS (INSERT INTO "{Inbox._meta.db_table}" (event_id, deaths) '
        "SELECT id, 0 FROM recorded)"
    )
