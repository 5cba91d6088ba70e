"""Restores the tests' database to the rows that the migrations left.

After each test that commits, Django truncates all tables and makes its permissions
again, which takes longer than most tests. Here only tables that were changed are
emptied.
"""

from __future__ import annotations

from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from access.audit.view import create_view

# A larger table holds so many dead rows that they would slow down later tests.
_MOST_BYTES = 2**18


class MigratedRows:
    """The rows of a database that was just migrated, and the way back to them."""

    def __init__(self) -> None:
        tables = connection.introspection.table_names()
        self._kept = {table: _copy_rows(table) for table in tables if _has_rows(table)}
        self._empty = sorted(set(tables) - self._kept.keys())
        self._marks = self._fingerprints()

    def restore(self) -> None:
        """Delete what a test has left, and restore what it changed of these rows."""
        if not connection.is_usable():  # a test of outages has ended it
            connection.close()
        with transaction.atomic(), connection.cursor() as cursor:
            # Foreign keys and triggers would ask for an order of the tables.
            cursor.execute("SET LOCAL session_replication_role = replica")
            if large := self._large_tables():
                cursor.execute(f"TRUNCATE {', '.join(large)} CASCADE")
            for table in self._filled_tables():
                cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - our own tables
            for table, mark in self._fingerprints().items():
                if mark != self._marks[table]:
                    self._restore_table(table)

    def _restore_table(self, table: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - our own tables
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                copy.write(self._kept[table])

    def _large_tables(self) -> list[str]:
        names = ", ".join(f"'{table}'" for table in self._empty)
        return _column(
            f"SELECT name FROM unnest(ARRAY[{names}]) AS name "  # noqa: S608
            f"WHERE pg_relation_size(name::regclass) > {_MOST_BYTES}"
        )

    def _filled_tables(self) -> list[str]:
        return _column(
            " UNION ALL ".join(
                f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})"  # noqa: S608
                for table in self._empty
            )
        )

    def _fingerprints(self) -> dict[str, str]:
        """Return a hash of all rows for each table that is not empty at first."""
        with connection.cursor() as cursor:
            cursor.execute(
                " UNION ALL ".join(
                    f"SELECT '{table}', md5(string_agg(t::text, '' ORDER BY t::text)) "  # noqa: S608
                    f"FROM {table} t"
                    for table in self._kept
                )
            )
            return dict(cursor.fetchall())


def migrate_to_latest() -> None:
    """Apply all migrations, after a test that went back to an earlier one."""
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    create_view(using=connection.alias)  # Django's command does it by a signal


def _has_rows(table: str) -> bool:
    return bool(_column(f"SELECT 1 FROM {table} LIMIT 1"))  # noqa: S608


def _copy_rows(table: str) -> bytes:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} TO STDOUT") as copy,
    ):
        return b"".join(bytes(part) for part in copy)


def _column(query: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]
