"""Makes the tests' own database unavailable and available again.

Only for tests with `django_db(transaction=True)`: all connections are concerned.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection
from psycopg import sql


@contextmanager
def read_only_database() -> Iterator[None]:
    """Make new connections read-only, as hosted servers do when their disk is full."""
    _alter(sql.SQL("SET default_transaction_read_only = on"))
    end_connections()
    try:
        yield
    finally:
        _alter(sql.SQL("RESET default_transaction_read_only"))


@contextmanager
def closed_database() -> Iterator[None]:
    """End all connections and refuse new ones."""
    _alter(sql.SQL("ALLOW_CONNECTIONS false"))
    end_connections()
    try:
        yield
    finally:
        _alter(sql.SQL("ALLOW_CONNECTIONS true"))


def end_connections() -> None:
    """End every connection to the tests' database, as a server restart does."""
    _administer(
        sql.SQL(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = {}"
        ).format(sql.Literal(_name()))
    )


def _alter(change: sql.SQL) -> None:
    database = sql.Identifier(_name())
    _administer(sql.SQL("ALTER DATABASE {} {}").format(database, change))


def _administer(statement: sql.Composed) -> None:
    server = os.environ["DATABASE_URL"].rpartition("/")[0]
    with psycopg.connect(f"{server}/postgres", autocommit=True) as administrator:
        administrator.execute(statement)


def _name() -> str:
    return str(connection.settings_dict["NAME"])
