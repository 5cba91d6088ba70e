"""A second session that holds a snapshot, so that PostgreSQL cleans nothing up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection


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
