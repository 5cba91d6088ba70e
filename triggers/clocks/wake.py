"""How clocks that sleep in other processes hear of a trigger that comes due soon."""

from __future__ import annotations

import logging
import threading
from datetime import datetime

import psycopg
from django.db import connection, connections

from common.pooling import leads_to_postgres

CHANNEL = "tickhook_due"
# The longest sleep of a clock, so that a wake-up that is lost costs no more than this.
MAX_SLEEP_SECONDS = 1.0
# A transaction may commit after the instant that it planned has passed. Without a
# wake-up, a clock finds such a trigger only when it next reads the whole due index.
WAKE_BEFORE_SECONDS = 60.0


def wake_clocks(due_at: datetime) -> None:
    """Wake the clocks at the commit if a trigger comes due soon.

    Not for later instants: commits that notify wait for each other.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_notify(%s, '') "
            "WHERE %s < clock_timestamp() + %s * interval '1 second'",
            [CHANNEL, due_at, WAKE_BEFORE_SECONDS],
        )


logger = logging.getLogger(__name__)

LISTENS_ON = "clock"
RETRY_SECONDS = 5.0
_LOOK_SECONDS = 1.0


class Listener(threading.Thread):
    """Sets an event whenever a trigger is saved that comes due soon."""

    def __init__(self, woken: threading.Event) -> None:
        super().__init__(name="clock-listener", daemon=True)
        self._woken = woken
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listen()
            except psycopg.Error as error:
                logger.warning("Clock: no wake-ups: %s", type(error).__name__)
            except Exception:
                logger.exception("Clock: no wake-ups")
            self._stopped.wait(RETRY_SECONDS)

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
                self._stopped.wait()
            raw.execute(f"LISTEN {CHANNEL}".encode())
            while not self._stopped.is_set():
                for _ in raw.notifies(timeout=_LOOK_SECONDS):
                    self._woken.set()
