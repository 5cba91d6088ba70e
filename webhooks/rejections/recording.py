"""Counts the requests that endpoints reject, and stores a sample of them.

A rejection costs no SQL statement in its request. Each process collects rejections in a
buffer, and a thread of the process stores them about a second later. A crash loses at
most that second, and only of rejections.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import NamedTuple
from uuid import UUID

from django.db import Error, connection, transaction
from django.db.models import Q, Sum
from django.utils import timezone

from common.database.errors import error_kind, is_unavailable
from common.database.sql import columns_of, insert_sql
from common.threads import BackgroundThread
from webhooks.models import Rejection, RejectionCount, WebhookEndpoint
from webhooks.rejections.fixes import HANDSHAKE

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
# Samples that a process stores per endpoint and cause in a minute. More are stored of a
# verified sender, because they help the operator more.
SAMPLES_PER_MINUTE = 5
VERIFIED_SAMPLES_PER_MINUTE = 20
MAX_BUFFERED_SAMPLES = 200
KEPT_PER_ENDPOINT = 1000
_TRIM_LOCK = 0x7265_6A65


class CountKey(NamedTuple):
    """What rejections are counted by; `hour` is its first second since the epoch."""

    endpoint_id: UUID
    cause: str
    hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRequest:
    """A row of Rejection before it is stored; `headers` is JSON text.

    `body_size` is the size of the whole body. A duplicate names in `event_id` the event
    that it repeats.
    """

    id: UUID
    endpoint: UUID
    cause: str
    status: int
    detail: str
    method: str
    remote_address: str | None
    delivery_id: str
    headers: str
    body: bytes
    received_at: datetime
    body_size: int | None = None
    event_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseCount:
    """How many requests an endpoint rejected for one cause."""

    cause: str
    last_day: int
    in_all: int


class Buffer:
    """The rejections of a process that are not stored yet; bounded in size."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[CountKey] = Counter()
        self._samples: list[RejectedRequest] = []
        self._minute = 0
        self._kept: Counter[tuple[UUID, str]] = Counter()

    def count(self, endpoint_id: UUID, cause: str, *, samples_per_minute: int) -> bool:
        """Count a rejection; return whether the caller should add a sample of it."""
        now = int(time.time())
        with self._lock:
            self._counts[CountKey(endpoint_id, cause, now - now % 3600)] += 1
            if self._minute != now // 60:
                self._minute = now // 60
                self._kept.clear()
            kind = (endpoint_id, cause)
            is_kept = self._kept[kind] < samples_per_minute and not self._is_full()
            self._kept[kind] += is_kept
            return is_kept

    def add_sample(self, sample: RejectedRequest) -> None:
        with self._lock:
            if not self._is_full():
                self._samples.append(sample)

    def take(self) -> tuple[dict[CountKey, int], list[RejectedRequest]]:
        """Return the counts and samples, and empty the buffer."""
        with self._lock:
            taken = dict(self._counts), self._samples
            self._counts, self._samples = Counter(), []
            return taken

    def put_back(self, counts: dict[CountKey, int]) -> None:
        with self._lock:
            self._counts.update(counts)

    def _is_full(self) -> bool:
        return len(self._samples) >= MAX_BUFFERED_SAMPLES


def record_rejection(
    *,
    endpoint_id: UUID,
    cause: str,
    is_verified: bool,
    describe: Callable[[], RejectedRequest],
) -> None:
    """Count a rejection; store the request if few of its kind came in this minute.

    `describe` is only called for a request that is stored.
    """
    rate = VERIFIED_SAMPLES_PER_MINUTE if is_verified else SAMPLES_PER_MINUTE
    buffer = _buffer(os.getpid())
    if buffer.count(endpoint_id, cause, samples_per_minute=rate):
        buffer.add_sample(describe())
    flush_soon()


def count_handshake(*, endpoint_id: UUID) -> None:
    """Count an answered handshake whose request is not stored."""
    _buffer(os.getpid()).count(endpoint_id, HANDSHAKE, samples_per_minute=0)
    flush_soon()


def flush_soon() -> None:
    """Make the thread of this process store its rejections within about a second."""
    _flusher.wake()


def flush_rejections() -> None:
    """Store what this process has collected; after a failure the counts are kept."""
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


def count_rejections(endpoint_id: UUID) -> list[CauseCount]:
    """Return the counts of an endpoint, the most frequent cause first."""
    recent = Q(hour__gt=timezone.now() - timedelta(days=1))
    rows = (
        RejectionCount.objects.filter(endpoint_id=endpoint_id)
        .values("cause")
        .annotate(last_day=Sum("count", filter=recent, default=0), in_all=Sum("count"))
        .order_by("-in_all", "cause")
    )
    return [CauseCount(**row) for row in rows]


@lru_cache(maxsize=1)
def _buffer(_process_id: int) -> Buffer:
    """Return the buffer of a process; a fork must not store its parent's again."""
    return Buffer()


def _flush_after_pause() -> None:
    _flusher.pause(FLUSH_SECONDS)
    if not _flush():
        _flusher.wake()


def _flush() -> bool:
    """Flush on a connection that is closed afterward; return whether it succeeded."""
    try:
        flush_rejections()
    except Error as error:
        if is_unavailable(error):
            logger.warning("Rejections are stored later: %s", error_kind(error))
        else:
            logger.exception("Rejections could not be stored; retrying")
        return False
    except Exception:
        logger.exception("Rejections could not be stored; retrying")
        return False
    finally:
        connection.close()
    return True


# The rejections of the last second are stored when the process ends.
_flusher = BackgroundThread(_flush_after_pause, name="rejections", at_exit=_flush)


def _store_counts(counts: dict[CountKey, int]) -> None:
    """Add to the counts in the order of their keys, so that no processes deadlock."""
    rows = [
        (key.endpoint_id, key.cause, datetime.fromtimestamp(key.hour, UTC), number)
        for key, number in sorted(counts.items())
    ]
    with connection.cursor() as cursor:
        cursor.execute(_count_sql(), columns_of(rows, width=4))


def _store_samples(samples: Sequence[RejectedRequest]) -> None:
    if not samples:
        return
    names = [field.name for field in fields(RejectedRequest)]
    insert = f"{insert_sql(Rejection, *names)} {_where_endpoint_exists()}"
    rows = [astuple(sample) for sample in samples]
    with connection.cursor() as cursor:
        cursor.execute(insert, columns_of(rows, width=len(names)))
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_TRIM_LOCK])
        if cursor.fetchone() == (True,):
            endpoints = sorted({sample.endpoint for sample in samples})
            cursor.execute(_trim_sql(), [endpoints])


@cache
def _count_sql() -> str:
    insert = insert_sql(RejectionCount, "endpoint", "cause", "hour", "count")
    table = RejectionCount._meta.db_table
    return (
        f"{insert} {_where_endpoint_exists()} ORDER BY v.endpoint_id, v.cause, v.hour "
        "ON CONFLICT (endpoint_id, cause, hour) "
        f'DO UPDATE SET count = "{table}".count + EXCLUDED.count'
    )


def _where_endpoint_exists() -> str:
    table = WebhookEndpoint._meta.db_table
    return f'WHERE EXISTS (SELECT FROM "{table}" e WHERE e.id = v.endpoint_id)'


@cache
def _trim_sql() -> str:
    """Return SQL that deletes the oldest rejections, at most 1,000 per endpoint."""
    table = Rejection._meta.db_table
    return (
        f'DELETE FROM "{table}" WHERE id IN ('  # noqa: S608 - our own name
        "SELECT old.id FROM unnest(%s::uuid[]) AS e(id) CROSS JOIN LATERAL ("
        f'SELECT r.id FROM "{table}" r WHERE r.endpoint_id = e.id '
        f"ORDER BY r.id DESC OFFSET {KEPT_PER_ENDPOINT} LIMIT 1000) old)"
    )
