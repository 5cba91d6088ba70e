"""Worker processes: their heartbeats, and turns at work for the whole installation.

A thread of each worker process records a heartbeat in the worker's row. If the row is
20 s old, the sweep resubmits the tasks that the worker had claimed.

A turn lets one process do work that all could do. It is a row, not a lock, because a
pooler may give each transaction another session; and it ends by itself when its process
dies or freezes. For some seconds two processes may then do the work at once, so the
work must be safe to do twice.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
import time
from datetime import timedelta
from uuid import UUID

from django.db import close_old_connections, connection

from common.database.errors import drop_connection, error_kind
from common.ids import uuid7
from common.threads import BackgroundThread

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0
HEARTBEAT_TIMEOUT = timedelta(seconds=20)
# A longer gap between heartbeats means that the database was unavailable, or that this
# process did not run.
LONGEST_GAP_SECONDS = 3 * HEARTBEAT_SECONDS
DELETE_AFTER = timedelta(minutes=5)

# Looks tasks up by their workers' ids, never through all running tasks, because the
# index of those may be full of dead entries. The row of a worker that a running task
# names stays: the sweep finds the task by that row.
_DELETE_OLD = """
WITH old AS MATERIALIZED (
    SELECT id FROM agents_worker
    WHERE seen_at < statement_timestamp() - make_interval(secs => %s)
), busy AS MATERIALIZED (
    SELECT claimed_by FROM agents_agenttask
    WHERE status = 'running' AND claimed_by = ANY(ARRAY(SELECT id FROM old))
)
DELETE FROM agents_worker WHERE id = ANY(ARRAY(
    SELECT id FROM old EXCEPT SELECT claimed_by FROM busy
))
"""

# A process that does not come back within this time has lost its turn.
HOLD_SECONDS = 5.0
# Others wait this much longer than the holder, so the turn stays with one process.
PATIENCE_SECONDS = 3.0

_TAKE_TURN = """
INSERT INTO agents_turn AS t (name, holder, next_at)
VALUES (%(name)s, %(holder)s, statement_timestamp() + %(hold)s * interval '1 second')
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, next_at = excluded.next_at
WHERE t.next_at <= statement_timestamp() - interval '1 second'
    * CASE WHEN t.holder = excluded.holder THEN 0 ELSE %(patience)s END
RETURNING true
"""

_FINISH_TURN = """
UPDATE agents_turn SET
    next_at = statement_timestamp() + %(seconds)s * interval '1 second',
    holder = %(next_holder)s
WHERE name = %(name)s AND holder = %(holder)s
"""
_NO_PROCESS = UUID(int=0)

_lock = threading.Lock()
_current: tuple[int, UUID] | None = None
_steady_since = math.inf
_recorded_at = -math.inf


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def current_worker() -> UUID:
    """Return this process's id; the first call starts its heartbeat."""
    global _current, _steady_since, _recorded_at
    with _lock:
        if _current is None or _current[0] != os.getpid():
            worker_id = uuid7()
            record_heartbeat(worker_id=worker_id)
            _steady_since = _recorded_at = time.monotonic()
            _current = (os.getpid(), worker_id)
            _heartbeats.start()
        return _current[1]


def record_heartbeat(*, worker_id: UUID) -> None:
    """Store the time of a worker's heartbeat; insert the worker's row if needed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO agents_worker (id, name, started_at, seen_at) "
            "VALUES (%s, %s, statement_timestamp(), statement_timestamp()) "
            "ON CONFLICT (id) DO UPDATE SET seen_at = statement_timestamp()",
            [worker_id, worker_name()],
        )


def delete_old_workers() -> int:
    """Delete workers dead for 5 minutes that no running task names; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_DELETE_OLD, [DELETE_AFTER.total_seconds()])
        return int(cursor.rowcount)


def can_detect_dead_workers() -> bool:
    """Return whether this process reached the database throughout the last 20 s.

    Only then does an old row mean a dead worker: after an outage, all rows are old.
    """
    current_worker()
    now = time.monotonic()
    return (
        now - _steady_since >= HEARTBEAT_TIMEOUT.total_seconds()
        and now - _recorded_at <= LONGEST_GAP_SECONDS
    )


def _try_heartbeat() -> None:
    global _steady_since, _recorded_at
    try:
        close_old_connections()
        record_heartbeat(worker_id=current_worker())
    except Exception as error:  # noqa: BLE001 - without heartbeats, tasks run twice
        _steady_since = math.inf
        logger.warning("Heartbeat failed: %s", error_kind(error))
        drop_connection()
    else:
        now = time.monotonic()
        # A server that hung answers late and reports no error.
        hung = now - _recorded_at > LONGEST_GAP_SECONDS
        _steady_since = now if hung else min(_steady_since, now)
        _recorded_at = now


_heartbeats = BackgroundThread(
    _try_heartbeat, name="heartbeat", every_seconds=HEARTBEAT_SECONDS
)


def take_turn(name: str) -> bool:
    """Return whether this process may do the work now.

    It has the turn for five seconds, or until it calls `finish_turn`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE_TURN,
            {
                "name": name,
                "holder": current_worker(),
                "hold": HOLD_SECONDS,
                "patience": PATIENCE_SECONDS,
            },
        )
        return cursor.fetchone() is not None


def finish_turn(name: str, *, seconds: float, keeps: bool) -> None:
    """Set when the work is due again; this process `keeps` the turn or passes it on.

    Does nothing if another process has taken the turn in the meantime.
    """
    holder = current_worker()
    with connection.cursor() as cursor:
        cursor.execute(
            _FINISH_TURN,
            {
                "name": name,
                "seconds": seconds,
                "holder": holder,
                "next_holder": holder if keeps else _NO_PROCESS,
            },
        )
