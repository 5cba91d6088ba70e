"""Which worker has which events in hand.

A lease is committed before anything is judged, and its row stays locked while the batch
is worked. A process that dies loses its connection and so the lock: a lease that is
a few seconds old and can be locked has no worker any more. Its events were in the hands
of a worker that died: they are worked in small batches, after a second death alone, and
after a third they are poison.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from agents.services.workers import worker_name
from common.ids import uuid7
from events.models import Inbox
from executions.models import DrainLease
from executions.pipeline.floor import InboxFloor, current_floor, keep_floor

MAX_EVENTS = 500
MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_DEATHS = 3
MAX_SUSPECTS = 25
ORPHANED_AFTER = timedelta(seconds=3)

_CLAIM_LOCK = 0x7469636B686F6F6B

# No event is in two leases: claims take turns, and each sees the leases before it.
_LEASED = """
leased AS MATERIALIZED (SELECT unnest(event_ids) AS event_id FROM executions_drainlease)
"""
_TAKEN = """
batch AS (
    SELECT event_id FROM (
        SELECT event_id, row_number() OVER w AS place, sum(body_size) OVER w AS bytes
        FROM waiting WINDOW w AS (ORDER BY event_id)
    ) running WHERE place = 1 OR bytes <= %(bytes)s
), taken AS (
    INSERT INTO executions_drainlease (id, worker, created_at, event_ids)
    SELECT %(id)s, %(worker)s, statement_timestamp(),
        array_agg(event_id ORDER BY event_id)
    FROM batch HAVING count(*) > 0
    RETURNING event_ids
)
"""

# Leased events count for the floor: closing a lease can return them to the inbox.
# `late` and `fresh` are apart: one condition with OR would be no range of the index.
_CLAIM_NEW = f"""
WITH place AS MATERIALIZED (SELECT pg_current_snapshot() AS seen), {_LEASED},
late AS MATERIALIZED (
    SELECT event_id, txid, body_size FROM events_inbox
    WHERE deaths = 0 AND txid = ANY(%(late)s::text[]::xid8[])
), fresh AS MATERIALIZED (
    SELECT event_id, txid, body_size FROM events_inbox
    WHERE deaths = 0 AND txid >= %(floor)s::text::xid8
    ORDER BY txid, event_id LIMIT %(limit)s + (SELECT count(*) FROM leased)
), waiting AS (
    SELECT event_id, body_size FROM (TABLE late UNION ALL TABLE fresh) unclaimed
    WHERE event_id NOT IN (SELECT event_id FROM leased)
    ORDER BY txid, event_id LIMIT %(limit)s
), {_TAKEN}, next AS (
    SELECT seen, least(
        (SELECT txid FROM fresh ORDER BY txid LIMIT 1), pg_snapshot_xmax(seen)
    ) AS floor
    FROM place
)
SELECT (SELECT event_ids FROM taken), floor::text,
    ARRAY(SELECT running::text FROM pg_snapshot_xip(seen) running WHERE running < floor)
    || ARRAY(SELECT DISTINCT txid::text FROM late)
FROM next
"""  # noqa: S608 - our own SQL

_CLAIM_SUSPECTS = f"""
WITH {_LEASED}, waiting AS (
    SELECT event_id, body_size FROM events_inbox
    WHERE deaths {{deaths}} AND event_id NOT IN (SELECT event_id FROM leased)
    ORDER BY event_id LIMIT %(limit)s
), {_TAKEN}
SELECT event_ids FROM taken
"""  # noqa: S608 - our own SQL

# The plan of a prepared statement takes the partial index only if 0 is no parameter,
# and only in the order of that index.
_FIRST_SUSPECT = """
SELECT 1 FROM events_inbox WHERE deaths > 0 ORDER BY event_id LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    id: UUID
    event_ids: list[UUID]

    @property
    def is_full(self) -> bool:
        return len(self.event_ids) == MAX_EVENTS


def claim_batch() -> Lease | None:
    """Take the events that were queued first, at most 500 and 16 MB of bodies."""
    lease_id, start = uuid7(), current_floor()
    [(event_ids, floor, late)] = _claim(
        _CLAIM_NEW, lease_id, limit=MAX_EVENTS, floor=start.floor, late=start.late
    )
    keep_floor(InboxFloor(floor=floor, late=late))
    return Lease(id=lease_id, event_ids=event_ids) if event_ids else None


def claim_suspects() -> Lease | None:
    """Take events whose worker died: a few, or one that had two deaths.

    Few enough that a second death leaves few to be processed alone, and not so few that
    the innocent events of a full batch take long.
    """
    return _claim_suspects("= 1", limit=MAX_SUSPECTS) or _claim_suspects(
        f"= {MAX_DEATHS - 1}", limit=1
    )


def claim_poison() -> Lease | None:
    """Take one event whose workers died three times."""
    return _claim_suspects(f">= {MAX_DEATHS}", limit=1)


def has_suspects() -> bool:
    """Return whether events wait whose worker died, or that were deferred."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_SUSPECT)
        return cursor.fetchone() is not None


def hold_lease(lease_id: UUID) -> bool:
    """Lock a lease for this transaction; False if it was taken back."""
    leases = DrainLease.objects.select_for_update().filter(pk=lease_id)
    return leases.values_list("pk").first() is not None


def close_lease(lease_id: UUID) -> None:
    DrainLease.objects.filter(pk=lease_id).delete()


def take_back_orphans() -> int:
    """Return the events of dead workers to the inbox, as suspects."""
    taken = 0
    with transaction.atomic():
        orphans = DrainLease.objects.select_for_update(skip_locked=True).filter(
            created_at__lt=Now() - ORPHANED_AFTER
        )
        for lease in orphans.order_by("pk"):
            suspects = Inbox.objects.filter(event_id__in=lease.event_ids)
            taken += suspects.update(deaths=F("deaths") + 1)
            lease.delete()
    return taken


def _claim_suspects(deaths: str, *, limit: int) -> Lease | None:
    lease_id = uuid7()
    rows = _claim(_CLAIM_SUSPECTS.format(deaths=deaths), lease_id, limit=limit)
    return Lease(id=lease_id, event_ids=rows[0][0]) if rows else None


def _claim(sql: str, lease_id: UUID, **parameters: Any) -> list[tuple[Any, ...]]:
    """Run a claim while no other runs; return its rows when it is committed."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CLAIM_LOCK])
        parameters |= {"id": lease_id, "worker": worker_name(), "bytes": MAX_BODY_BYTES}
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
