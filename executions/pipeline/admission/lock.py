from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

# The server keeps all its locks in one table of some thousands of places, and one event
# may concern more triggers than that: so triggers share locks.
LOCKS = 1024
_ADMISSION = 0x61646D69


def hold_admission(trigger_ids: Iterable[UUID]) -> None:
    """Let nobody else admit runs of these triggers before this transaction ends.

    Who holds it sees all that was admitted before; held tasks are touched only under
    it. It is taken before any row is locked, in the order of its keys.
    """
    keys = sorted({trigger_id.int % LOCKS for trigger_id in trigger_ids})
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(%s, key) FROM unnest(%s::int[]) key",
                [_ADMISSION, keys],
            )
