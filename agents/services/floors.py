"""Lower bounds for repeated looks at what has come due.

While a session holds an old snapshot, PostgreSQL cannot remove dead index entries, and
a query that starts at the old end of an index reads all of them. A floor starts the
next look where the last one found nothing older.

A floor is safe because every writer sets these times from the server's clock, never
back: no statement that starts later can write a time below the start of the oldest
transaction that is writing now.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

FULL_LOOK_SECONDS = 300.0
_EVERYTHING = datetime.min.replace(tzinfo=UTC)

# A statement has no transaction id before its first write: hence the two seconds. The
# start of the server tells a failover from the server that the floor was learned on,
# also behind a pooler that keeps our connection.
_NOW = """
SELECT statement_timestamp(), pg_postmaster_start_time(),
    least(min(xact_start) FILTER (WHERE backend_xid IS NOT NULL), statement_timestamp())
        - interval '2 seconds'
FROM pg_stat_activity WHERE datname = current_database()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The times that one look covers: (after, up_to]."""

    after: datetime
    up_to: datetime
    next_floor: datetime


@dataclass(slots=True, kw_only=True)
class _Learned:
    floor: datetime
    server: tuple[object, datetime]
    full_look_at: float


class Floor(threading.local):
    """Where this thread's next look starts, for rows written `delay` ahead of now."""

    def __init__(self, *, delay: timedelta) -> None:
        self._delay = delay
        self._learned: _Learned | None = None

    def begin(self, *, reach: timedelta) -> Look:
        """Return the range of a look at rows that are due within `reach` from now.

        It covers everything on a new connection or server, and every five minutes.
        """
        with connection.cursor() as cursor:
            cursor.execute(_NOW)
            now, server_started, oldest_write = cursor.fetchone()
        server = (connection.connection, server_started)
        if self._learned is None or not self._holds(self._learned, server):
            self._learned = _Learned(
                floor=_EVERYTHING,
                server=server,
                full_look_at=time.monotonic() + FULL_LOOK_SECONDS,
            )
        up_to = now + reach
        return Look(
            after=self._learned.floor,
            up_to=up_to,
            next_floor=min(oldest_write + self._delay, up_to),
        )

    def end(self, look: Look, *, oldest: datetime | None) -> None:
        """Raise the floor after a look; `oldest` is the first row left in it."""
        if self._learned is None:
            return
        below_oldest = oldest and oldest - timedelta(microseconds=1)
        self._learned.floor = min(look.next_floor, below_oldest or look.next_floor)

    def forget(self) -> None:
        """Make the next look cover everything."""
        self._learned = None

    @staticmethod
    def _holds(learned: _Learned, server: tuple[object, datetime]) -> bool:
        is_same = learned.server[0] is server[0] and learned.server[1] == server[1]
        return is_same and time.monotonic() < learned.full_look_at
