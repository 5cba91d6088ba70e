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
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from agents.services.heartbeat import worker_name
from common.ids import uuid7
from events.models import Inbox
from executions.models import DrainLease

MAX_EVENTS = 500
MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_DEATHS = 3
MAX_SUSPECTS = 25
ORPHANED_AFTER = timedelta(seconds=3)

_CLAIM_LOCK = 0x7469636B686F6F6B

# No event is in two leases: claims take turns, and each sees the leases before it.
_CLAIM = """
WITH waiting AS (
    SELECT i.event_id, e.body_size FROM events_inbox i
    JOIN events_event e ON e.id = i.event_id
    WHERE i.deaths {deaths}
    AND i.event_id NOT IN (SELECT unnest(event_ids) FROM executions_drainlease)
    ORDER BY i.event_id LIMIT %(limit)s
), batch AS (
    SELECT event_id FROM (
        SELECT event_id, row_number() OVER w AS place, sum(body_size) OVER w AS bytes
        FROM waiting WINDOW w AS (ORDER BY event_id)
    ) running WHERE place = 1 OR bytes <= %(bytes)s
)
INSERT INTO executions_drainlease (id, worker, created_at, event_ids)
SELECT %(id)s, %(worker)s, statement_timestamp(), array_agg(event_id ORDER BY event_id)
FROM batch HAVING count(*) > 0
RETURNING event_ids
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    id: UUID
    event_ids: list[UUID]

    @property
    def is_full(self) -> bool:
        return len(self.event_ids) == MAX_EVENTS


def claim_batch() -> Lease | None:
    """Take the oldest waiting events, at most 500 and 16 MB of bodies."""
    return _claim("= 0", limit=MAX_EVENTS)


def claim_suspects() -> Lease | None:
    """Take events that were in hand when a worker died: a few, or one that saw two.

    Few enough that a second death leaves few to be worked alone, and not so few that
    the innocent of a full batch take long.
    """
    return _claim("= 1", limit=MAX_SUSPECTS) or _claim(f"= {MAX_DEATHS - 1}", limit=1)


def claim_poison() -> Lease | None:
    """Take one event that was in hand at three deaths."""
    return _claim(f">= {MAX_DEATHS}", limit=1)


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


def _claim(deaths: str, *, limit: int) -> Lease | None:
    lease_id = uuid7()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CLAIM_LOCK])
        cursor.execute(
            _CLAIM.format(deaths=deaths),
            {
                "id": lease_id,
                "worker": worker_name(),
                "limit": limit,
                "bytes": MAX_BODY_BYTES,
            },
        )
        row = cursor.fetchone()
    return Lease(id=lease_id, event_ids=row[0]) if row else None
