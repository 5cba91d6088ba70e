"""Wakes clocks in other processes when a trigger is saved that comes due soon."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

import psycopg
from django.db import connection, connections

from common.pooling import leads_to_postgres
from common.threads import BackgroundThread

logger = logging.getLogger(__name__)

CHANNEL = "tickhook_due"
LISTENER_ALIAS = "clock"
RETRY_SECONDS = 5.0
_STOP_CHECK_SECONDS = 1.0
# The longest sleep of a clock: the most that a lost wake-up delays a run.
MAX_SLEEP_SECONDS = 1.0
# When a transaction commits, the instant that it planned may have passed. Without a
# wake-up, a clock finds such a trigger only when it next reads the whole due index.
WAKE_BEFORE_SECONDS = 60.0


def wake_clocks(due_at: datetime) -> None:
    """Wake the clocks at the commit if the instant is near.

    For later instants they need no wake-up, and transactions that notify commit one
    after the other.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_notify(%s, '') "
            "WHERE %s < clock_timestamp() + %s * interval '1 second'",
            [CHANNEL, due_at, WAKE_BEFORE_SECONDS],
        )


class Listener(BackgroundThread):
    """Calls `wake_clock` at each wake-up, which arrives by CLOCK_DATABASE_URL.

    This connection uses no pooler. It has a thread of its own, so that the clock
    continues while the connection is unavailable.
    """

    def __init__(self, wake_clock: Callable[[], object]) -> None:
        super().__init__(
            self._listen_or_log, name="clock-listener", every_seconds=RETRY_SECONDS
        )
        self._wake_clock = wake_clock

    def _listen_or_log(self) -> None:
        try:
            self._listen()
        except psycopg.Error as error:
            logger.warning("Clock: cannot receive wake-ups: %s", type(error).__name__)

    def _listen(self) -> None:
        """Wait for wake-ups until the thread is stopped or the connection fails."""
        wrapper = connections.create_connection(LISTENER_ALIAS)
        parameters = wrapper.get_connection_params()
        with psycopg.connect(**parameters | {"autocommit": True}) as raw:
            if not leads_to_postgres(raw):
                logger.error(
                    "CLOCK_DATABASE_URL leads to a pooler, which loses wake-ups: the "
                    "clock notices a new trigger up to a second late. Set it to a URL "
                    "of PostgreSQL itself."
                )
                self.pause(None)
            raw.execute(f"LISTEN {CHANNEL}".encode())
            while not self.is_stopping():
                for _ in raw.notifies(timeout=_STOP_CHECK_SECONDS):
                    self._wake_clock()
