from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import connection


def hold_admission(trigger_ids: Iterable[UUID]) -> None:
    """Let nobody else admit runs of these triggers before this transaction ends.

    Who holds it sees all that was admitted before; held tasks are touched only under
    it. It is taken before any row is locked, in the order of its keys.
    """
    keys = sorted({int.from_bytes(i.bytes[8:], signed=True) for i in trigger_ids})
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) key",
                [keys],
            )
