"""Receives the clock's wake-ups over CLOCK_DATABASE_URL, a connection without a pooler.

It is a thread of its own: while that connection is unavailable, the clock goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import psycopg
from django.db import connections

from common.pooling import leads_to_postgres
from common.threads import BackgroundThread
from triggers.clocks.wake import CHANNEL

logger = logging.getLogger(__name__)

LISTENS_ON = "clock"
RETRY_SECONDS = 5.0
_LOOK_SECONDS = 1.0


class Listener(BackgroundThread):
    """Calls `wake_clock` whenever a trigger is saved that comes due soon."""

    def __init__(self, wake_clock: Callable[[], object]) -> None:
        super().__init__(
            self._listen_or_log, name="clock-listener", every_seconds=RETRY_SECONDS
        )
        self._wake_clock = wake_clock

    def _listen_or_log(self) -> None:
        try:
            self._listen()
        except psycopg.Error as error:
            logger.warning("Clock: no wake-ups: %s", type(error).__name__)

    def _listen(self) -> None:
        """Wait for wake-ups until the thread is stopped or the connection fails."""
        parameters = connections.create_connection(LISTENS_ON).get_connection_params()
        with psycopg.connect(**parameters | {"autocommit": True}) as raw:
            if not leads_to_postgres(raw):
                logger.error(
                    "CLOCK_DATABASE_URL leads through a pooler, which loses wake-ups: "
                    "clocks react to a new trigger up to a second late. Let it lead to "
                    "PostgreSQL itself."
                )
                self.pause(None)
            raw.execute(f"LISTEN {CHANNEL}".encode())
            while not self.is_stopping():
                for _ in raw.notifies(timeout=_LOOK_SECONDS):
                    self._wake_clock()
