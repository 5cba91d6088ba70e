"""Lower bounds for queries that repeatedly scan an index for rows that have come due.

While a session holds an old snapshot, PostgreSQL cannot remove dead index entries, and
a query that starts at the old end of an index reads all of them. A scan floor makes
the next scan start where the last one found nothing older.

A floor is safe because every writer sets these times from the server's clock and never
moves them back: a statement that starts later cannot write a time before the start of
the oldest transaction that is writing now.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

FULL_SCAN_SECONDS = 300.0
_EVERYTHING = datetime.min.replace(tzinfo=UTC)

# A statement has no transaction id before its first write: hence the two seconds. The
# server's start time shows a failover to another server, even behind a pooler that
# keeps our connection; a floor is valid only on the server where it was learned.
_NOW = """
SELECT statement_timestamp(), pg_postmaster_start_time(),
    least(min(xact_start) FILTER (WHERE backend_xid IS NOT NULL), statement_timestamp())
        - interval '2 seconds'
FROM pg_stat_activity WHERE datname = current_database()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRange:
    """The times that one scan covers: (after, up_to]."""

    after: datetime
    up_to: datetime
    next_floor: datetime


@dataclass(slots=True, kw_only=True)
class _Learned:
    floor: datetime
    server: tuple[object, datetime]
    full_scan_at: float


class ScanFloor(threading.local):
    """Where this thread's next scan starts, for rows written `delay` ahead of now."""

    def __init__(self, *, delay: timedelta) -> None:
        self._delay = delay
        self._learned: _Learned | None = None

    def begin(self, *, reach: timedelta) -> ScanRange:
        """Return the range of a scan for rows that are due within `reach` from now.

        It covers everything on a new connection or server, and every five minutes.
        """
        with connection.cursor() as cursor:
            cursor.execute(_NOW)
            now, server_started, oldest_write = cursor.fetchone()
        server = (connection.connection, server_started)
        if (
            self._learned is None
            or self._learned.server != server
            or time.monotonic() >= self._learned.full_scan_at
        ):
            self._learned = _Learned(
                floor=_EVERYTHING,
                server=server,
                full_scan_at=time.monotonic() + FULL_SCAN_SECONDS,
            )
        up_to = now + reach
        return ScanRange(
            after=self._learned.floor,
            up_to=up_to,
            next_floor=min(oldest_write + self._delay, up_to),
        )

    def end(self, scan: ScanRange, *, oldest: datetime | None) -> None:
        """Raise the floor after a scan; `oldest` is the first row left in its range."""
        if self._learned is None:
            return
        below_oldest = oldest and oldest - timedelta(microseconds=1)
        self._learned.floor = min(scan.next_floor, below_oldest or scan.next_floor)

    def forget(self) -> None:
        """Make the next scan cover everything."""
        self._learned = None
