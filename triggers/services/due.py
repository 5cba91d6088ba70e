"""The due index: which triggers have come due, and when the next one does."""

from __future__ import annotations

from collections.abc import Iterable
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

# The locks end with the statement. They are taken to pass over triggers that somebody
# is changing, and those that another clock reads at this very moment.
_FIND = f"""
SELECT {", ".join(_COLUMNS)} FROM triggers_trigger
WHERE is_active AND next_run_time IS NOT NULL AND next_run_time <= %s
ORDER BY next_run_time LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608 - our own columns

_WAIT = """
SELECT extract(epoch FROM next_run_time - clock_timestamp()) FROM triggers_trigger
WHERE is_active AND next_run_time IS NOT NULL ORDER BY next_run_time LIMIT 1
"""


def find_due(now: datetime, *, limit: int) -> Iterable[Trigger]:
    """Return triggers that are due, the longest due first, with what judging needs."""
    return Trigger.objects.raw(_FIND, [now, limit])


def seconds_until_due() -> float | None:
    """Return how long it is until a trigger comes due by the database's clock.

    Negative where one is overdue; None if none has a next run.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WAIT)
        row = cursor.fetchone()
    return None if row is None else float(row[0])
