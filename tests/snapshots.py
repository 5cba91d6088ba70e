"""A second session that holds a snapshot, so that PostgreSQL cleans nothing up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection, transaction


@contextmanager
def held_snapshot() -> Iterator[int]:
    """Hold a REPEATABLE READ snapshot of the test database; yield its session's pid."""
    place = connection.get_connection_params()
    wanted = {"dbname", "host", "port", "user", "password"} & place.keys()
    with psycopg.connect(**{name: place[name] for name in wanted}) as holder:
        holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        holder.execute("SELECT 1 FROM django_migrations")
        yield holder.info.backend_pid
        holder.rollback()


@contextmanager
def counted_buffers() -> Iterator[dict[str, int]]:
    """Collect how many buffers each statement reads, by a word of its own.

    Each statement is explained and rolled back before it is executed.
    """
    counted: dict[str, int] = {}

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith(("WITH", "SELECT")):
            with transaction.atomic(), connection.cursor() as cursor:
                explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}"
                cursor.cursor.execute(explain, params)
                plan = cursor.fetchone()[0][0]["Plan"]
                counted[sql] = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
                transaction.set_rollback(True)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        yield counted
