"""Remembers from which transaction on a claim has to read the inbox.

While a session holds an old snapshot, PostgreSQL cannot clean up deleted inbox rows,
and a claim that starts at the old end of an index reads all of them. Each row carries
the id of the transaction that inserted it. A claim returns the lowest id that can still
have waiting rows (the floor) and the transactions below it that were still running
(late). No other transaction can commit a row below the floor, so the next claim skips
the rest. No clocks are involved.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from django.db import connection

# Behind PgBouncer the client's connection outlives the server's, and a restored or
# promoted server may count transactions from a lower id.
FORGET_AFTER_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxFloor:
    """Transaction ids as text: 64 bits that only PostgreSQL compares."""

    floor: str = "0"
    late: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _Kept:
    connection: object
    since: float
    floor: InboxFloor


class _OfThread(threading.local):
    kept: _Kept | None = None


_of_thread = _OfThread()


def current_floor() -> InboxFloor:
    """Return what the last claim of this thread kept; all of the inbox if nothing.

    A floor belongs to a connection: a new connection, and each one once a minute, reads
    the whole inbox.
    """
    kept = _of_thread.kept
    if (
        kept is None
        or kept.connection is not connection.connection
        or time.monotonic() - kept.since > FORGET_AFTER_SECONDS
    ):
        connection.ensure_connection()
        kept = _of_thread.kept = _Kept(
            connection=connection.connection,
            since=time.monotonic(),
            floor=InboxFloor(),
        )
    return kept.floor


def keep_floor(floor: InboxFloor) -> None:
    """Keep what a committed claim returned.

    Inside of an outer transaction nothing is kept: the rows that it deleted would come
    back below the floor if it were rolled back.
    """
    kept = _of_thread.kept
    if kept is not None and not connection.in_atomic_block:
        kept.floor = floor
