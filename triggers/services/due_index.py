"""Reads the due index: which triggers are due, and when the next one comes due."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from triggers.models import Trigger

# The columns that a claim needs; conditions and task parameters can be large.
_COLUMNS = (
    "id", "name", "subject", "version", "schedule_type", "schedule_config",
    "cron_expression", "timezone", "start_at", "end_at", "max_runs", "scheduled_runs",
    "jitter_seconds", "dst_gap", "dst_overlap", "catchup", "catchup_window_seconds",
    "misfire_grace_seconds", "schedule_anchor", "next_run_time", "next_scheduled_for",
)  # fmt: skip

# Half of the triggers have been due for the longest time, half for the shortest: so the
# runs that come due now are claimed although many others are to be caught up. Where
# many are due at one instant, either sort may return the same ones first, so the second
# half leaves out the first. The locks end with the statement. They serve to skip
# triggers that another transaction is changing or another clock is reading. The
# statement returns ids only: so few bytes that the server never waits, holding the
# locks, for a client that was stopped.
_FIND = """
WITH longest AS (
    SELECT id FROM triggers_trigger
    WHERE is_active AND next_run_time IS NOT NULL
    AND next_run_time >= %s::timestamptz AND next_run_time <= %s
    ORDER BY next_run_time LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
), shortest AS (
    SELECT id FROM triggers_trigger
    WHERE is_active AND next_run_time IS NOT NULL
    AND next_run_time >= %s::timestamptz AND next_run_time <= %s
    AND id NOT IN (SELECT id FROM longest)
    ORDER BY next_run_time DESC LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
SELECT id FROM longest UNION ALL SELECT id FROM shortest
"""

# Materialized, so that PostgreSQL finds the rows by id. Else the planner can choose the
# due index for `next_run_time` and read all of its dead entries.
_READ = f"""
WITH found AS MATERIALIZED (
    SELECT {", ".join(_COLUMNS)}, is_active FROM triggers_trigger WHERE id = ANY(%s)
)
SELECT * FROM found WHERE is_active AND next_run_time <= %s ORDER BY next_run_time
"""  # noqa: S608 - our own columns

# The next look starts at least this long before the present one. So it finds a run that
# is planned for an instant after its start, although its transaction commits later.
_MARGIN_SECONDS = 5
_WAIT = f"""
SELECT extract(epoch FROM first.due - look.at),
    least(first.due, look.at - interval '{_MARGIN_SECONDS} seconds')
FROM (SELECT clock_timestamp() AS at) look LEFT JOIN LATERAL (
    SELECT next_run_time AS due FROM triggers_trigger
    WHERE is_active AND next_run_time IS NOT NULL AND next_run_time >= %s::timestamptz
    ORDER BY next_run_time LIMIT 1
) first ON true
"""  # noqa: S608 - our own number

FULL_LOOK_EVERY_SECONDS = 30.0
_FROM_THE_FIRST = "-infinity"


class DueFloor:
    """The instant from which a clock reads the due index.

    Each claim leaves a dead index entry at the instant that came due. While a session
    holds an old snapshot, PostgreSQL cannot remove these entries, and a look that
    starts at the oldest end of the index reads all of them. Claims only move triggers
    forward, so a clock starts at the instant before which its last look found nothing.
    A person can plan a trigger for an earlier instant. So a clock forgets its floor
    when it is woken or reconnects, and every 30 seconds in case a wake-up was lost.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Make the next look read the whole index."""
        self.instant: datetime | None = None
        self._full_look_at = -math.inf

    def keep(self, instant: datetime) -> None:
        """Store the instant at which the next look starts."""
        self.instant = instant

    def start_look(self) -> datetime | None:
        """Return the instant where the next look starts; None for the whole index."""
        if time.monotonic() - self._full_look_at > FULL_LOOK_EVERY_SECONDS:
            self.instant, self._full_look_at = None, time.monotonic()
        return self.instant


def find_due(
    now: datetime, *, limit: int, since: datetime | None = None
) -> Sequence[Trigger]:
    """Return due triggers with the columns that a claim needs, the longest due first.

    Triggers that came due before `since` are left out.
    """
    shortest, start = limit // 2, since or _FROM_THE_FIRST
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [start, now, limit - shortest, start, now, shortest])
        found = [row[0] for row in cursor.fetchall()]
    return list(Trigger.objects.raw(_READ, [found, now])) if found else []


def seconds_until_due(floor: DueFloor | None = None) -> float | None:
    """Return the seconds until a trigger comes due by the database's clock.

    Negative if one is overdue; None if no trigger has a next run. The look starts at
    the floor and stores there the instant at which the next look starts.
    """
    floor = floor or DueFloor()
    with connection.cursor() as cursor:
        cursor.execute(_WAIT, [floor.start_look() or _FROM_THE_FIRST])
        wait, start = cursor.fetchone()
    floor.keep(start)
    return None if wait is None else float(wait)
