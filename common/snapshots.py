from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

WARN_AFTER_SECONDS = 300
WARN_AFTER_XIDS = 1_000_000

# PostgreSQL hides the sessions of other roles from roles without pg_read_all_stats. A
# VACUUM has a snapshot, too, but does not restrict another one.
_HOLDER = """
SELECT holder, holding_user, state, seconds, xids FROM (
    SELECT 'session ' || pid, usename, state,
        extract(epoch FROM clock_timestamp() - xact_start), age(backend_xmin)
    FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND datname = current_database()
    AND pid <> pg_backend_pid() AND query !~* '^\\s*vacuum'
    UNION ALL
    SELECT 'prepared transaction ' || gid, owner, NULL,
        extract(epoch FROM clock_timestamp() - prepared), age(transaction)
    FROM pg_prepared_xacts WHERE database = current_database()
    UNION ALL
    SELECT 'replication slot ' || slot_name, NULL, NULL, NULL,
        age(coalesce(xmin, catalog_xmin))
    FROM pg_replication_slots
    UNION ALL
    SELECT 'replica ' || application_name, usename, state, NULL, age(backend_xmin)
    FROM pg_stat_replication
) holders(holder, holding_user, state, seconds, xids)
WHERE xids IS NOT NULL AND (seconds > %s OR xids > %s)
ORDER BY xids DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotHolder:
    """A session or the like whose snapshot keeps VACUUM from removing dead rows.

    `xids` counts the transactions since its snapshot. A replication slot has no user;
    for a slot and a replica PostgreSQL does not know the age in seconds.
    """

    holder: str
    user: str | None
    state: str | None
    seconds: int | None
    xids: int


def find_snapshot_holder() -> SnapshotHolder | None:
    """Return the holder of the oldest snapshot, if it is old enough to slow queries.

    Old is over 5 minutes, or over 1,000,000 transactions.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOLDER, [WARN_AFTER_SECONDS, WARN_AFTER_XIDS])
        row = cursor.fetchone()
    if row is None:
        return None
    holder, user, state, seconds, xids = row
    return SnapshotHolder(
        holder=holder,
        user=user,
        state=state,
        seconds=None if seconds is None else int(seconds),
        xids=xids,
    )
