from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from operator import attrgetter
from uuid import UUID

from django.db import connection, transaction

from common.bulk import columns_of, insert_one_sql, insert_sql
from common.fields import dump_json
from common.ids import uuid7
from events.models import Event, EventSource, Inbox
from events.nudge import nudge_soon


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event about to be recorded. `request` and `options` are JSON text."""

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
    id: UUID = field(default_factory=uuid7)
    correlation_id: UUID = field(default_factory=uuid7)


_NAMES = tuple(f.name for f in fields(NewEvent))
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
    rows = [(*_values(event), len(event.body)) for event in events]
    is_one = len(rows) == 1
    with connection.cursor() as cursor:
        cursor.execute(
            _record_sql(is_one=is_one),
            rows[0] if is_one else columns_of(rows, width=len(_NAMES) + 1),
        )
        recorded = {row[0] for row in cursor.fetchall()}
    if recorded:
        transaction.on_commit(nudge_soon, robust=True)
    return recorded


@cache
def _record_sql(*, is_one: bool) -> str:
    write = insert_one_sql if is_one else insert_sql
    insert = write(Event, *_NAMES, "body_size", received_at="statement_timestamp()")
    return (
        f"WITH recorded AS ({insert} ON CONFLICT DO NOTHING RETURNING id), "  # noqa: S608
        f'queued AS (INSERT INTO "{Inbox._meta.db_table}" (event_id, deaths) '
        f"SELECT id, 0 FROM recorded) SELECT id FROM recorded"
    )
