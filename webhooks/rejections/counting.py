"""What known endpoints refused: counted always, kept by sample.

No refusal costs a statement of its own. A process gathers what it refused, and its own
thread stores that a second later. A crash loses at most that second, of refusals only.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from uuid import UUID

from django.db import Error, connection, transaction
from django.db.models import Q, Sum
from django.utils import timezone

from common.bulk import columns_of, insert_sql
from common.database.errors import error_kind, is_unavailable
from common.threads import BackgroundThread
from webhooks.models import Rejection, RejectionCount, WebhookEndpoint
from webhooks.rejections.buffer import Buffer, CountKey, RejectedRequest

__all__ = [
    "CauseCount",
    "RejectedRequest",
    "count_rejections",
    "flush_rejections",
    "flush_soon",
    "note_handshake",
    "note_rejection",
]

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
# How many of one endpoint and cause a process keeps a minute.
SAMPLES = 5
SAMPLES_OF_VERIFIED = 20
KEPT_PER_ENDPOINT = 1000
HANDSHAKE = "handshake"
_TRIM_LOCK = 0x7265_6A65


def note_rejection(
    *,
    endpoint_id: UUID,
    cause: str,
    is_verified: bool,
    describe: Callable[[], RejectedRequest],
) -> None:
    """Count a refusal; keep what came if few like it came in this minute.

    What a verified sender sends is of more use to its operator: more of it is kept.
    """
    allowance = SAMPLES_OF_VERIFIED if is_verified else SAMPLES
    buffer = _buffer(os.getpid())
    if buffer.count(endpoint_id, cause, allowance=allowance):
        buffer.keep(describe())
    flush_soon()


def note_handshake(*, endpoint_id: UUID) -> None:
    """Count a handshake that was answered; nothing is kept of it."""
    _buffer(os.getpid()).count(endpoint_id, HANDSHAKE, allowance=0)
    flush_soon()


def flush_rejections() -> None:
    """Store what this process has gathered; after a failure the counts remain."""
    buffer = _buffer(os.getpid())
    counts, samples = buffer.take()
    if not counts:
        return
    try:
        with transaction.atomic():
            _store_counts(counts)
            _store_samples(samples)
    except Error:
        buffer.put_back(counts)
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseCount:
    """How many requests an endpoint refused for one cause."""

    cause: str
    last_day: int
    in_all: int


def count_rejections(endpoint_id: UUID) -> list[CauseCount]:
    """Return what an endpoint refused, the most frequent cause first."""
    recent = Q(hour__gt=timezone.now() - timedelta(days=1))
    rows = (
        RejectionCount.objects.filter(endpoint_id=endpoint_id)
        .values("cause")
        .annotate(last_day=Sum("count", filter=recent, default=0), in_all=Sum("count"))
        .order_by("-in_all", "cause")
    )
    return [CauseCount(**row) for row in rows]


def flush_soon() -> None:
    """Flush from a background thread, within about a second."""
    _flusher.wake()


@lru_cache(maxsize=1)
def _buffer(_process_id: int) -> Buffer:
    """Return the buffer of a process; a fork must not store its parent's again."""
    return Buffer()


def _flush_after_pause() -> None:
    _flusher.pause(FLUSH_SECONDS)
    if not _flush():
        _flusher.wake()


def _flush() -> bool:
    """Flush on a connection that is not kept; return whether it worked."""
    try:
        flush_rejections()
    except Error as error:
        if is_unavailable(error):
            logger.warning("Rejections wait: %s", error_kind(error))
        else:
            logger.exception("Rejections could not be stored; tried again")
        return False
    except Exception:
        logger.exception("Rejections could not be stored; tried again")
        return False
    finally:
        connection.close()
    return True


# What a process gathered in its last second is stored when it ends.
_flusher = BackgroundThread(_flush_after_pause, name="rejections", at_exit=_flush)


def _store_counts(counts: dict[CountKey, int]) -> None:
    """Add to the counts, in the order of their keys: others do the same."""
    rows = [
        (key.endpoint_id, key.cause, datetime.fromtimestamp(key.hour, UTC), number)
        for key, number in sorted(counts.items())
    ]
    with connection.cursor() as cursor:
        cursor.execute(_count_sql(), columns_of(rows, width=4))


def _store_samples(samples: Sequence[RejectedRequest]) -> None:
    if not samples:
        return
    rows = [astuple(sample) for sample in samples]
    with connection.cursor() as cursor:
        cursor.execute(_sample_sql(), columns_of(rows, width=len(_SAMPLE_NAMES)))
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_TRIM_LOCK])
        if cursor.fetchone() == (True,):
            endpoints = sorted({sample.endpoint for sample in samples})
            cursor.execute(_trim_sql(), [endpoints])


_SAMPLE_NAMES = tuple(field.name for field in fields(RejectedRequest))


@cache
def _count_sql() -> str:
    insert = insert_sql(RejectionCount, "endpoint", "cause", "hour", "count")
    table = RejectionCount._meta.db_table
    return (
        f"{insert} {_of_present_endpoints()} ORDER BY v.endpoint_id, v.cause, v.hour "
        "ON CONFLICT (endpoint_id, cause, hour) "
        f'DO UPDATE SET count = "{table}".count + EXCLUDED.count'
    )


@cache
def _sample_sql() -> str:
    return f"{insert_sql(Rejection, *_SAMPLE_NAMES)} {_of_present_endpoints()}"


def _of_present_endpoints() -> str:
    table = WebhookEndpoint._meta.db_table
    return f'WHERE EXISTS (SELECT FROM "{table}" e WHERE e.id = v.endpoint_id)'


@cache
def _trim_sql() -> str:
    """Return what deletes the oldest of an endpoint's rejections, a bounded number."""
    table = Rejection._meta.db_table
    return (
        f'DELETE FROM "{table}" WHERE id IN ('  # noqa: S608 - our own name
        "SELECT old.id FROM unnest(%s::uuid[]) AS e(id) CROSS JOIN LATERAL ("
        f'SELECT r.id FROM "{table}" r WHERE r.endpoint_id = e.id '
        f"ORDER BY r.id DESC OFFSET {KEPT_PER_ENDPOINT} LIMIT 1000) old)"
    )
