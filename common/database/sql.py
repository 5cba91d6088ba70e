"""INSERTs of constant text, which PostgreSQL plans once, and the database's clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache

from django.db import connection, models

_JSON_TYPES = {"json", "jsonb"}
# In text form, Python would escape each quote and backslash of a value.
_SENT_AS_BINARY = {"text", "bytea"}


@cache
def insert_sql(model: type[models.Model], *names: str, **computed: str) -> str:
    """Return `INSERT INTO … SELECT … FROM unnest(…)`, with one array per name.

    `computed` is SQL for further fields. Text for JSON fields must be JSON.
    """
    by_name = {field.name: field for field in model._meta.local_fields}
    fields = [by_name[name] for name in names]
    types = [_column_type(field) for field in fields]
    columns = [str(field.column) for field in fields]
    values = [
        f"v.{column}::{kind}" if kind in _JSON_TYPES else f"v.{column}"
        for column, kind in zip(columns, types, strict=True)
    ]
    sent = ["text" if kind in _JSON_TYPES else kind for kind in types]
    arrays = ", ".join(
        f"{'%b' if kind in _SENT_AS_BINARY else '%s'}::{kind}[]" for kind in sent
    )
    return (
        f'INSERT INTO "{model._meta.db_table}" '  # noqa: S608 - names of our own models
        f"({', '.join([*columns, *computed])}) "
        f"SELECT {', '.join([*values, *computed.values()])} "
        f"FROM unnest({arrays}) AS v({', '.join(columns)})"
    )


@cache
def insert_one_sql(
    model: type[models.Model], *names: str, once_for: str = "", **computed: str
) -> str:
    """Return `INSERT INTO … VALUES …`, with one parameter per name.

    `once_for` is a relation with one row or none; without a row nothing is inserted.
    This is for webhook requests, which arrays of one element make a fifth slower.
    """
    by_name = {field.name: field for field in model._meta.local_fields}
    fields = [by_name[name] for name in names]
    columns = [str(field.column) for field in fields]
    values = [f"%s::{_column_type(field)}" for field in fields]
    row = ", ".join([*values, *computed.values()])
    source = f"SELECT {row} FROM {once_for}" if once_for else f"VALUES ({row})"  # noqa: S608 - names of our own
    return (
        f'INSERT INTO "{model._meta.db_table}" '
        f"({', '.join([*columns, *computed])}) {source}"
    )


def columns_of(rows: Iterable[Sequence[object]], *, width: int) -> list[list[object]]:
    """Return one list per column, as the parameters of `insert_sql`."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    return columns or [[] for _ in range(width)]


def insert_rows(
    model: type[models.Model],
    names: tuple[str, ...],
    rows: Sequence[Sequence[object]],
    **computed: str,
) -> None:
    """Insert `rows` (values for the database, in the order of `names`) at once."""
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(
                insert_sql(model, *names, **computed),
                columns_of(rows, width=len(names)),
            )


def _column_type(field: models.Field) -> str:  # type: ignore[type-arg]  # any column
    kind = field.cast_db_type(connection) or "text"
    return "text" if kind.startswith("varchar") else kind


def database_now() -> datetime:
    """Return the time of the database, whose clock all timestamps of events use."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
