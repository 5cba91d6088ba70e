"""The thread of a clock: it claims due triggers and sleeps until the next one is due.

It has its own database connection and never uses the broker. So neither an unavailable
broker nor other work of the process delays the clock. Any number of tickers can run.
"""

from __future__ import annotations

import logging
import math
import time
from contextlib import suppress

from django.db import Error, connection, connections

from common.database.errors import error_kind
from common.pooling import is_direct
from common.threads import BackgroundThread
from triggers.clocks.mirror import HEARTBEAT_NAME
from triggers.clocks.wake import CHANNEL, LISTENER_ALIAS, MAX_SLEEP_SECONDS, Listener
from triggers.services.claim import claim_while_due
from triggers.services.due_index import DueFloor

logger = logging.getLogger(__name__)

# The pause between looks while other clocks hold the due triggers.
MIN_SLEEP_SECONDS = 0.05
HEARTBEAT_EVERY_SECONDS = 5.0

_HEARTBEAT = """
UPDATE django_celery_beat_periodictask SET last_run_at = statement_timestamp()
WHERE id = (
    SELECT id FROM django_celery_beat_periodictask WHERE name = %s
    AND (
        last_run_at IS NULL
        OR last_run_at < statement_timestamp() - interval '5 seconds'
    )
    FOR UPDATE SKIP LOCKED
)
"""


class Ticker(BackgroundThread):
    """Claims due triggers until `stop` or the end of its process."""

    def __init__(self) -> None:
        super().__init__(self._tick_or_reconnect, name="clock", every_seconds=0)
        self._subscribed: object = None  # the connection that receives wake-ups
        self._listener = Listener(self.wake) if LISTENER_ALIAS in connections else None
        self._heartbeat_at = -math.inf
        self._floor = DueFloor()

    def start(self) -> None:
        super().start()
        if self._listener and not self._listener.is_alive():
            self._listener.wake()

    def stop(self) -> None:
        """Claim nothing more; a claim in progress is committed or rolled back."""
        super().stop()
        if self._listener:
            self._listener.stop()

    def _tick_or_reconnect(self) -> None:
        try:
            self._tick()
        except Error as error:
            logger.warning("Clock: the database failed: %s", error_kind(error))
            self._reconnect_later()
        except Exception:
            logger.exception("Clock: a tick failed")
            self._reconnect_later()

    def _tick(self) -> None:
        """Claim all that is due and sleep until the next trigger is."""
        self._listen()
        if self._subscribed is None:
            # No wake-up arrives if a trigger is planned for an earlier instant.
            self._floor.forget()
        wait = claim_while_due(self._is_running, self._floor)
        self._record_heartbeat()
        if wait is None:
            wait = MAX_SLEEP_SECONDS
        self._sleep(min(wait if wait > 0 else MIN_SLEEP_SECONDS, MAX_SLEEP_SECONDS))

    def _is_running(self) -> bool:
        self._record_heartbeat()
        return not self.is_stopping()

    def _record_heartbeat(self) -> None:
        if time.monotonic() - self._heartbeat_at >= HEARTBEAT_EVERY_SECONDS:
            record_heartbeat()
            self._heartbeat_at = time.monotonic()

    def _listen(self) -> None:
        """Subscribe this connection to wake-ups once, unless a listener receives them.

        Behind a pooler the subscription would stay with the server's connection, which
        other clients use next: there the clock only sleeps for at most a second.
        """
        connection.ensure_connection()
        if self._subscribed is not None and self._subscribed is connection.connection:
            return
        self._subscribed = None
        if self._listener is None and is_direct(connection):
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            self._subscribed = connection.connection
            self._floor.forget()

    def _sleep(self, seconds: float) -> None:
        """Sleep for this time, or until a trigger is saved that comes due soon."""
        if self._subscribed is None:
            self.wait(seconds)
            return
        with connection.wrap_database_errors:
            for _ in connection.connection.notifies(timeout=seconds, stop_after=1):
                self._floor.forget()

    def _reconnect_later(self) -> None:
        with suppress(Error):
            connection.close()
        self.pause(MAX_SLEEP_SECONDS)


def record_heartbeat() -> None:
    """Record that a clock ticks, at most every 5 seconds; the health check reads it."""
    with connection.cursor() as cursor:
        cursor.execute(_HEARTBEAT, [HEARTBEAT_NAME])
