"""Entries of schedules: what all sides have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models

# Celery sends at most one message per entry and run to this queue, which has no reader.
QUEUE = "bench-schedule"
TASK = "benchmarks.naive.tasks.run_agent"
# Entries ran this long ago, so an entry edited to run more often is due at once.
LAST_RUN = timedelta(minutes=5)
EDITED = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When the first `count` entries come due: one by one, or all `at` one instant."""

    count: int
    at: datetime
    every: timedelta
    apart: timedelta = timedelta(0)

    def time_of(self, number: int) -> datetime:
        return self.at + number * self.apart


def entry_name(number: int) -> str:
    return f"entry {number}"


def hourly_instants(now: datetime) -> list[datetime]:
    """Return one instant for each minute of an hour at which entries may run.

    Omits the next 20 minutes and the last 10: entries are spread over the hour, but
    none comes due during another measurement.
    """
    minute = now.replace(second=0, microsecond=0)
    return [minute + timedelta(minutes=ahead) for ahead in range(20, 51)]


def copy_row(
    row: models.Model, over: str, parameters: list[Any], **computed: str
) -> None:
    """Insert a copy of a stored row for each row of `over`, which is a FROM item.

    `computed` gives SQL for columns that differ; a serial key is the database's.
    """
    table, key = row._meta.db_table, row._meta.pk.column
    columns = [
        str(field.column)
        for field in row._meta.concrete_fields
        if not isinstance(field, models.AutoField)
    ]
    values = [computed.get(column, f"old.{column}") for column in columns]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608 - our own names
            f"SELECT {', '.join(values)} FROM {table} old, {over} "
            f"WHERE old.{key} = %s",
            [*parameters, row.pk],
        )


def settle() -> None:
    """Make the server do its maintenance now, not during a measurement."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
