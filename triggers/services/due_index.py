"""The due index: which triggers have come due, and when the next one does."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from triggers.models import Trigger

# What judging an occurrence asks for; a trigger's conditions and parameters can be big.
_COLUMNS = (
    "id", "name", "subject", "version", "schedule_type", "schedule_config",
    "cron_expression", "timezone", "start_at", "end_at", "max_runs", "scheduled_runs",
    "jitter_seconds", "dst_gap", "dst_overlap", "catchup", "catchup_window_seconds",
    "misfire_grace_seconds", "schedule_anchor", "next_run_time", "next_scheduled_for",
)  # fmt: skip

# Half are the longest due, half the shortest: where much is to be caught up, what comes
# due now is claimed all the same. The locks end with the statement. They are taken to
# pass over triggers that somebody is changing, and those that another clock reads at
# this very moment. Ids alone are read under them: so few bytes that the server never
# waits, lock in hand, for a client that was stopped.
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
    ORDER BY next_run_time DESC LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
SELECT id FROM longest UNION SELECT id FROM shortest
"""

# By the ids first: next to them, the planner may take the due index for `next_run_time`
# and read all of its dead entries.
_READ = f"""
WITH found AS MATERIALIZED (
    SELECT {", ".join(_COLUMNS)}, is_active FROM triggers_trigger WHERE id = ANY(%s)
)
SELECT * FROM found WHERE is_active AND next_run_time <= %s ORDER BY next_run_time
"""  # noqa: S608 - our own columns

# Changes of triggers that are planned for a later instant than this are seen although
# their transaction commits after the look.
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
    holds an old snapshot, PostgreSQL cannot clean them up, and a look that starts at
    the old end of the index reads all of them. Claims move triggers forward only, so a
    clock starts where its last look found nothing earlier. A person can plan a trigger
    for an earlier instant: so a clock forgets its floor when it is woken or reconnects,
    and every 30 seconds in case the wake-up is lost.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Make the next look read the whole index."""
        self.instant: datetime | None = None
        self._full_look_at = -math.inf

    def keep(self, instant: datetime) -> None:
        """Keep what a look returned."""
        self.instant = instant

    def start_look(self) -> datetime | None:
        """Return where the next look starts; None for the whole index."""
        if time.monotonic() - self._full_look_at > FULL_LOOK_EVERY_SECONDS:
            self.instant, self._full_look_at = None, time.monotonic()
        return self.instant


def find_due(
    now: datetime, *, limit: int, since: datetime | None = None
) -> Sequence[Trigger]:
    """Return triggers that are due, the longest due first, with what a claim needs.

    Those that have been due since before `since` are left out.
    """
    shortest, start = limit // 2, since or _FROM_THE_FIRST
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [start, now, limit - shortest, start, now, shortest])
        found = [row[0] for row in cursor.fetchall()]
    return list(Trigger.objects.raw(_READ, [found, now])) if found else []


def seconds_until_due(floor: DueFloor | None = None) -> float | None:
    """Return how long it is until a trigger comes due by the database's clock.

    Negative if one is overdue; None if no trigger has a next run. The look starts at
    the floor and leaves there where the next one starts.
    """
    floor = floor or DueFloor()
    with connection.cursor() as cursor:
        cursor.execute(_WAIT, [floor.start_look() or _FROM_THE_FIRST])
        wait, start = cursor.fetchone()
    floor.keep(start)
    return None if wait is None else float(wait)
