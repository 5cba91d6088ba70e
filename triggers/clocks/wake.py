"""How clocks that sleep in other processes hear of a trigger that comes due soon."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

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
