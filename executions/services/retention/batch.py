"""The interface of the purge's steps: each deletes one kind of row, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.db import connection

ROWS = 1_000
FIRST_ID = UUID(int=0)

Position = UUID | int | str

# Statistics of moments with few open rows lead the planner to read whole partial
# indexes or tables instead of looking up each row by its key.
_LIMITS = """
SELECT set_config(name, value, true) FROM (VALUES
    ('lock_timeout', '2s'), ('statement_timeout', '20s'), ('jit', 'off'),
    ('enable_seqscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off')
) AS s(name, value)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The rows that one batch deleted, or would delete, by kind.

    `last` is the position after which the next batch starts, None at the end; `oldest`
    is the age of the oldest deleted row. Each batch starts after the previous one: from
    the first row, it would read the dead rows of all batches before it.
    """

    last: Position | None
    counts: Mapping[str, int]
    oldest: datetime | None = None


class Step(Protocol):
    """One step of the purge. `first` is the position before the first batch."""

    @property
    def first(self) -> Position: ...

    def batch(self, last: Position, *, is_dry: bool) -> Batch:
        """Delete the next rows after `last` in the caller's transaction."""


NOTHING_LEFT = Batch(last=None, counts={})


def bound_statements() -> None:
    """Limit how long this transaction waits and runs, and forbid table scans."""
    with connection.cursor() as cursor:
        cursor.execute(_LIMITS)


def fetch(sql: str, values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[Any] = cursor.fetchall()
    return rows


def delete_by_id(table: str, ids: Sequence[UUID], *, key: str = "id") -> int:
    if not ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            f'DELETE FROM "{table}" WHERE {key} = ANY(%s)',  # noqa: S608 - our own names
            [list(ids)],
        )
        return int(cursor.rowcount)
