"""How clocks that sleep in other processes hear of a trigger that comes due soon."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

CHANNEL = "tickhook_due"
# The longest sleep of a clock, so that a wake-up that is lost costs no more than this.
MAX_SLEEP_SECONDS = 1.0


def wake_clocks(due_at: datetime) -> None:
    """Wake the clocks at the commit, if a trigger comes due before they look again.

    Not for others: a commit that wakes somebody waits for other such commits.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_notify(%s, '') "
            "WHERE %s < clock_timestamp() + %s * interval '1 second'",
            [CHANNEL, due_at, 2 * MAX_SLEEP_SECONDS],
        )
