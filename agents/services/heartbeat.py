"""One heartbeat row per worker process, renewed by a thread of its own.

What a worker held is taken back when its row is 20 s old.
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

BEAT_SECONDS = 5.0
SILENT_AFTER = timedelta(seconds=20)
# Beats further apart say that the database, or this process, was away in between.
LONGEST_GAP_SECONDS = 3 * BEAT_SECONDS
FORGET_AFTER = timedelta(minutes=5)

# By the workers' ids, never through all running tasks: their index may be full of dead
# entries. A worker that a running task names stays, since silence is found by its row.
_FORGET = """
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

_lock = threading.Lock()
_current: tuple[int, UUID] | None = None
_steady_since = math.inf
_beaten_at = -math.inf


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def current_worker() -> UUID:
    """Return this process's id; the first call enters it and starts its heartbeat."""
    global _current, _steady_since, _beaten_at
    with _lock:
        if _current is None or _current[0] != os.getpid():
            worker_id = uuid7()
            beat(worker_id=worker_id)
            _steady_since = _beaten_at = time.monotonic()
            _current = (os.getpid(), worker_id)
            _heartbeats.start()
        return _current[1]


def beat(*, worker_id: UUID) -> None:
    """Renew the row of a worker, or enter it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO agents_worker (id, name, started_at, seen_at) "
            "VALUES (%s, %s, statement_timestamp(), statement_timestamp()) "
            "ON CONFLICT (id) DO UPDATE SET seen_at = statement_timestamp()",
            [worker_id, worker_name()],
        )


def forget_old_workers() -> int:
    """Delete long silent workers that no running task names; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, [FORGET_AFTER.total_seconds()])
        return int(cursor.rowcount)


def has_watched_long_enough() -> bool:
    """Return whether this process reached the database throughout the last 20 s.

    Only then has another worker failed if its row is old: after an outage all are.
    """
    current_worker()
    now = time.monotonic()
    return (
        now - _steady_since >= SILENT_AFTER.total_seconds()
        and now - _beaten_at <= LONGEST_GAP_SECONDS
    )


def _beat_once() -> None:
    global _steady_since, _beaten_at
    try:
        close_old_connections()
        beat(worker_id=current_worker())
    except Exception as error:  # noqa: BLE001 - without heartbeats all work runs twice
        _steady_since = math.inf
        logger.warning("Heartbeat failed: %s", error_kind(error))
        drop_connection()
    else:
        now = time.monotonic()
        # A server that hung answers late, and without an error.
        hung = now - _beaten_at > LONGEST_GAP_SECONDS
        _steady_since = now if hung else min(_steady_since, now)
        _beaten_at = now


_heartbeats = BackgroundThread(_beat_once, name="heartbeat", every_seconds=BEAT_SECONDS)
