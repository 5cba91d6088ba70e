"""Turns at work that one worker process does for the whole installation.

A turn is a row, not a lock: it survives a pooler that gives each transaction another
session, and it ends by itself when its process dies or freezes. For some seconds two
processes may then work at once, so the work must be safe to do twice.
"""

from __future__ import annotations

from uuid import UUID

from django.db import connection

from agents.services.heartbeat import current_worker

# A process that does not come back within this time has lost its turn.
HOLD_SECONDS = 5.0
# Others wait this much longer than the holder, so the turn stays with one process.
PATIENCE_SECONDS = 3.0

_TAKE = """
INSERT INTO agents_turn AS t (name, holder, next_at)
VALUES (%(name)s, %(holder)s, statement_timestamp() + %(hold)s * interval '1 second')
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, next_at = excluded.next_at
WHERE t.next_at <= statement_timestamp() - interval '1 second'
    * CASE WHEN t.holder = excluded.holder THEN 0 ELSE %(patience)s END
RETURNING true
"""

_REST = """
UPDATE agents_turn SET
    next_at = statement_timestamp() + %(seconds)s * interval '1 second',
    holder = %(next_holder)s
WHERE name = %(name)s AND holder = %(holder)s
"""
_NO_PROCESS = UUID(int=0)


def take_turn(name: str) -> bool:
    """Return whether this process may do the work now.

    It has the turn for five seconds, or until it calls `rest`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE,
            {
                "name": name,
                "holder": current_worker(),
                "hold": HOLD_SECONDS,
                "patience": PATIENCE_SECONDS,
            },
        )
        return cursor.fetchone() is not None


def rest(name: str, *, seconds: float, keeps: bool) -> None:
    """Set when the work is due again; this process `keeps` the turn or passes it on.

    Does nothing if another process has taken the turn meanwhile.
    """
    holder = current_worker()
    with connection.cursor() as cursor:
        cursor.execute(
            _REST,
            {
                "name": name,
                "seconds": seconds,
                "holder": holder,
                "next_holder": holder if keeps else _NO_PROCESS,
            },
        )
