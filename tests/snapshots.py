"""A second session that holds a snapshot, so that PostgreSQL removes no dead row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


def buffers_of(act: Callable[[], object]) -> int:
    """Return how many buffers one call reads when its statements are prepared.

    PostgreSQL plans the first five calls of a connection for their parameters; later
    ones may share a generic plan, which reads more.
    """
    for _ in range(12):
        act()
        _buffers_until_now()
    before = _buffers_until_now()
    start = _buffers_until_now()
    act()
    return _buffers_until_now() - start - (start - before)


def _buffers_until_now() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            "SELECT coalesce(sum(hits), 0) + coalesce(sum(reads), 0) "
            "FROM pg_stat_get_backend_io(pg_backend_pid()) WHERE object = 'relation'"
        )
        return int(cursor.fetchone()[0])
