"""The clock's own thread: it claims what is due, then sleeps until something is.

It has a database connection of its own and never speaks to the broker, so neither a
broker that is away nor whatever else its process does holds the clock. Any number of
them may run.
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
from triggers.clocks.listener import LISTENS_ON, Listener
from triggers.clocks.names import HEARTBEAT_NAME
from triggers.clocks.wake import CHANNEL, MAX_SLEEP_SECONDS
from triggers.services.claim import claim_while_due
from triggers.services.due import DueFloor

logger = logging.getLogger(__name__)

# Between looks at triggers that are due and in another's hands.
MIN_SLEEP_SECONDS = 0.05
NOTE_EVERY_SECONDS = 5.0

_NOTE = """
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
    """Claims due triggers for as long as its process lives, or until `stop`."""

    def __init__(self) -> None:
        super().__init__(self._tick_or_start_again, name="clock", every_seconds=0)
        self._heard_on: object = None
        self._listener = Listener(self.wake) if LISTENS_ON in connections else None
        self._noted_at = -math.inf
        self._floor = DueFloor()

    def start(self) -> None:
        super().start()
        if self._listener and not self._listener.is_alive():
            self._listener.wake()

    def stop(self) -> None:
        """Claim nothing more; a claim under way is committed or rolled back."""
        super().stop()
        if self._listener:
            self._listener.stop()

    def _tick_or_start_again(self) -> None:
        try:
            self._tick()
        except Error as error:
            logger.warning("Clock: the database failed: %s", error_kind(error))
            self._start_afresh()
        except Exception:
            logger.exception("Clock: a tick failed")
            self._start_afresh()

    def _tick(self) -> None:
        """Claim all that is due and sleep until more is."""
        self._listen()
        if self._heard_on is None:
            # No wake-up says that a trigger was planned for an earlier instant.
            self._floor.forget()
        wait = claim_while_due(self._goes_on, self._floor)
        self._note()
        if wait is None:
            wait = MAX_SLEEP_SECONDS
        self._sleep(min(wait if wait > 0 else MIN_SLEEP_SECONDS, MAX_SLEEP_SECONDS))

    def _goes_on(self) -> bool:
        self._note()
        return not self.is_stopping()

    def _note(self) -> None:
        if time.monotonic() - self._noted_at >= NOTE_EVERY_SECONDS:
            note_tick()
            self._noted_at = time.monotonic()

    def _listen(self) -> None:
        """Subscribe this connection to wake-ups, once, unless another one listens.

        Behind a pooler a subscription would stay with the server connection, which
        changes hands: there the clock sleeps at most a second.
        """
        connection.ensure_connection()
        if self._listener or not is_direct(connection):
            self._heard_on = None
        elif self._heard_on is not connection.connection:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            self._heard_on = connection.connection
            self._floor.forget()

    def _sleep(self, seconds: float) -> None:
        """Sleep so long, or until a trigger is saved that comes due soon."""
        if self._heard_on is None:
            self.wait(seconds)
            return
        with connection.wrap_database_errors:
            for _ in connection.connection.notifies(timeout=seconds, stop_after=1):
                self._floor.forget()

    def _start_afresh(self) -> None:
        with suppress(Error):
            connection.close()
        self.pause(MAX_SLEEP_SECONDS)


def note_tick() -> None:
    """Keep that a clock ticks, every few seconds: what its health is told by."""
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, [HEARTBEAT_NAME])
