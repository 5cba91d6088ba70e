"""Claims on events in the inbox: which worker processes which events.

A lease is committed before its events are processed, and its row stays locked while
they are. A process that dies loses its connection and so the lock: a lease that is a
few seconds old and can be locked has no worker. Its events are suspects, because one of
them may have killed the worker. They are processed in small batches, after a second
death one by one, and after a third death they are recorded as poison.

While a session holds an old snapshot, PostgreSQL cannot clean up deleted rows of the
inbox and deleted leases, and a claim that starts at the old end of an index reads all
of them. Each row carries the id of the transaction that inserted it. A claim returns
the lowest id that can still have waiting rows (the floor) and the transactions below it
that were still running (late). No other transaction can commit a row below the floor,
so the next claim skips those rows. Leases have a floor, too, and none is late, because
only claims insert them, one claim at a time. No clocks are involved.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import Error, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from agents.services.workers import worker_name
from common.ids import uuid7
from events.models import Inbox
from executions.models import DrainLease

logger = logging.getLogger(__name__)

MAX_EVENTS = 500
MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_DEATHS = 3
MAX_SUSPECTS = 25
ORPHANED_AFTER = timedelta(seconds=3)

# Behind PgBouncer the client's connection outlives the server's, and a restored or
# promoted server may count transactions from a lower id.
FORGET_AFTER_SECONDS = 60.0

_CLAIM_LOCK = 0x7469636B686F6F6B

# While dead rows fill the tables, the planner can prefer to read them all.
_TAKE_TURN = """
SELECT pg_advisory_xact_lock(%s), set_config('enable_seqscan', 'off', true)
"""

# No event is in two leases: claims take turns, and each sees the leases before it.
_LEASED = """
leases AS MATERIALIZED (
    SELECT txid, event_ids FROM executions_drainlease
    WHERE txid >= %(lease_floor)s::text::xid8
), leased AS MATERIALIZED (SELECT unnest(event_ids) AS event_id FROM leases)
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
# `late` and `fresh` are separate: PostgreSQL cannot use a range of the index for one
# condition with OR.
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
    || ARRAY(SELECT DISTINCT txid::text FROM late),
    least((SELECT min(txid) FROM leases), pg_snapshot_xmax(seen))::text
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

_CLAIM_EVENTS = _CLAIM_SUSPECTS.replace(
    "deaths {deaths}", "event_id = ANY(%(event_ids)s)"
)

# A prepared statement uses the partial index only if 0 is not a parameter, and only in
# the order of that index.
_FIRST_SUSPECT = """
SELECT 1 FROM events_inbox WHERE deaths > 0 ORDER BY event_id LIMIT 1
"""


class LeaseLost(Exception):
    """Another worker has reclaimed the lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    id: UUID
    event_ids: list[UUID]

    @property
    def is_full(self) -> bool:
        return len(self.event_ids) == MAX_EVENTS


def claim_batch() -> Lease | None:
    """Claim the events that were queued first, at most 500 and 16 MB of bodies."""
    lease_id, start = uuid7(), current_floor()
    [(event_ids, floor, late, leases)] = _claim(
        _CLAIM_NEW, lease_id, limit=MAX_EVENTS, floor=start.floor, late=start.late
    )
    keep_floor(ClaimFloor(floor=floor, late=late, leases=leases))
    return Lease(id=lease_id, event_ids=event_ids) if event_ids else None


def claim_suspects() -> Lease | None:
    """Claim a few events whose worker died, or one event whose workers died twice.

    A few: after a second death few events must be processed one by one, and yet the
    harmless events of a full batch do not take long.
    """
    return _claim_suspects("= 1", limit=MAX_SUSPECTS) or _claim_suspects(
        f"= {MAX_DEATHS - 1}", limit=1
    )


def claim_poison() -> Lease | None:
    """Claim one event whose workers died three times."""
    return _claim_suspects(f">= {MAX_DEATHS}", limit=1)


def claim_events(event_ids: Sequence[UUID]) -> Lease | None:
    """Claim those of the events that wait and that no worker has claimed."""
    lease_id = uuid7()
    rows = _claim(_CLAIM_EVENTS, lease_id, limit=MAX_EVENTS, event_ids=list(event_ids))
    return Lease(id=lease_id, event_ids=rows[0][0]) if rows else None


def has_suspects() -> bool:
    """Return whether events wait whose worker died, or that were deferred."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_SUSPECT)
        return cursor.fetchone() is not None


@contextmanager
def closing_lease(lease: Lease) -> Iterator[None]:
    """Close the lease when the block ends: only a worker's death leaves it open.

    Does not raise LeaseLost: the worker that reclaimed the lease owns its events.
    """
    try:
        yield
    except LeaseLost:
        logger.warning("Lease %s was reclaimed before it was processed", lease.id)
        return
    except BaseException:
        _close_after_error(lease.id)
        raise
    close_lease(lease.id)


def _close_after_error(lease_id: UUID) -> None:
    try:
        if not connection.is_usable():
            connection.close()
        close_lease(lease_id)
    except Error:
        logger.warning("Lease %s is left to the sweep", lease_id)


def close_lease(lease_id: UUID) -> None:
    """Delete a lease; its events that are still in the inbox can be claimed again."""
    DrainLease.objects.filter(pk=lease_id).delete()


def lock_lease(lease_id: UUID) -> None:
    """Lock a lease for this transaction; raise LeaseLost if it was reclaimed."""
    leases = DrainLease.objects.select_for_update().filter(pk=lease_id)
    if leases.values_list("pk").first() is None:
        raise LeaseLost


def reclaim_orphans() -> int:
    """Return the events of dead workers to the inbox, as suspects; return how many."""
    reclaimed = 0
    with transaction.atomic():
        orphans = DrainLease.objects.select_for_update(skip_locked=True).filter(
            created_at__lt=Now() - ORPHANED_AFTER
        )
        for lease in orphans.order_by("pk"):
            suspects = Inbox.objects.filter(event_id__in=lease.event_ids)
            reclaimed += suspects.update(deaths=F("deaths") + 1)
            lease.delete()
    return reclaimed


def remove_from_inbox(event_ids: Sequence[UUID]) -> None:
    Inbox.objects.filter(pk__in=event_ids).delete()


def defer_events(event_ids: Sequence[UUID]) -> None:
    """Make events suspects: they are retried later in small batches."""
    if event_ids:
        logger.error("%d events deferred: their code cannot run now", len(event_ids))
        Inbox.objects.filter(pk__in=event_ids, deaths=0).update(deaths=1)


def _claim_suspects(deaths: str, *, limit: int) -> Lease | None:
    lease_id = uuid7()
    rows = _claim(_CLAIM_SUSPECTS.format(deaths=deaths), lease_id, limit=limit)
    return Lease(id=lease_id, event_ids=rows[0][0]) if rows else None


def _claim(sql: str, lease_id: UUID, **parameters: Any) -> list[tuple[Any, ...]]:
    """Run a claim while no other claim runs; return its rows after the commit."""
    parameters |= {"id": lease_id, "worker": worker_name(), "bytes": MAX_BODY_BYTES}
    parameters["lease_floor"] = current_floor().leases
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TAKE_TURN, [_CLAIM_LOCK])
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFloor:
    """Transaction ids as text: 64 bits that only PostgreSQL compares.

    `floor` and `late` are those of the inbox, `leases` is the floor of leases.
    """

    floor: str = "0"
    late: list[str] = field(default_factory=list)
    leases: str = "0"


@dataclass(slots=True, kw_only=True)
class _KeptFloor:
    connection: object
    since: float
    floor: ClaimFloor


class _ThreadState(threading.local):
    kept: _KeptFloor | None = None


_thread_state = _ThreadState()


def current_floor() -> ClaimFloor:
    """Return the floor that this thread's last claim kept, or that of a full read.

    A floor belongs to a connection: a new connection, and each one once a minute, reads
    the whole inbox.
    """
    kept = _thread_state.kept
    if (
        kept is None
        or kept.connection is not connection.connection
        or time.monotonic() - kept.since > FORGET_AFTER_SECONDS
    ):
        connection.ensure_connection()
        kept = _thread_state.kept = _KeptFloor(
            connection=connection.connection,
            since=time.monotonic(),
            floor=ClaimFloor(),
        )
    return kept.floor


def keep_floor(floor: ClaimFloor) -> None:
    """Keep what a committed claim returned.

    Inside an outer transaction nothing is kept: a rollback would restore rows that it
    deleted, below the floor.
    """
    kept = _thread_state.kept
    if kept is not None and not connection.in_atomic_block:
        kept.floor = floor
