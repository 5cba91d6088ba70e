"""The due index: which triggers have come due, and when the next one does."""

from __future__ import annotations

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
    WHERE is_active AND next_run_time IS NOT NULL AND next_run_time <= %s
    ORDER BY next_run_time LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
), shortest AS (
    SELECT id FROM triggers_trigger
    WHERE is_active AND next_run_time IS NOT NULL AND next_run_time <= %s
    ORDER BY next_run_time DESC LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
SELECT id FROM longest UNION SELECT id FROM shortest
"""

_READ = f"""
SELECT {", ".join(_COLUMNS)} FROM triggers_trigger
WHERE id = ANY(%s) AND is_active AND next_run_time <= %s ORDER BY next_run_time
"""  # noqa: S608 - our own columns

_WAIT = """
SELECT extract(epoch FROM next_run_time - clock_timestamp()) FROM triggers_trigger
WHERE is_active AND next_run_time IS NOT NULL ORDER BY next_run_time LIMIT 1
"""


def find_due(now: datetime, *, limit: int) -> Sequence[Trigger]:
    """Return triggers that are due, the longest due first, with what judging needs."""
    shortest = limit // 2
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [now, limit - shortest, now, shortest])
        found = [row[0] for row in cursor.fetchall()]
    return list(Trigger.objects.raw(_READ, [found, now])) if found else []


def seconds_until_due() -> float | None:
    """Return how long it is until a trigger comes due by the database's clock.

    Negative where one is overdue; None if none has a next run.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WAIT)
        row = cursor.fetchone()
    return None if row is None else float(row[0])
