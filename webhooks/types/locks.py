"""Who changes a type waits for who gives an endpoint this type, and the other way.

There may be no row to lock: a shipped type has none, nor has one that is uploaded now.
"""

from __future__ import annotations

from django.db import connection

_TYPE = 0x74797065


def hold_type(slug: str) -> None:
    """Let nobody else change this type, or use it anew, until the transaction ends."""
    _hold("pg_advisory_xact_lock", slug)


def hold_type_shared(slug: str) -> None:
    """Let nobody change this type until the transaction ends."""
    _hold("pg_advisory_xact_lock_shared", slug)


def _hold(function: str, slug: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, hashtext(%s))", [_TYPE, slug.lower()])
