from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from common.database.sql import database_now
from common.fields import dump_json
from events.models import EventSource
from events.services.record import NewEvent, record_events
from triggers.clocks.base import get_clock
from triggers.services.versions import settled_up_to, switch_off_version

logger = logging.getLogger(__name__)

_DISABLE = """
WITH failing AS (
    SELECT t.id, t.next_scheduled_for, s.consecutive_failures
    FROM triggers_trigger t JOIN triggers_triggerstats s ON s.trigger_id = t.id
    WHERE t.id = ANY(%s) AND t.is_active
    AND s.consecutive_failures >= t.failure_threshold
    ORDER BY t.id FOR NO KEY UPDATE OF t
)
UPDATE triggers_trigger t SET
    is_active = false, active_since = NULL, next_run_time = NULL,
    next_scheduled_for = NULL, version = t.version + 1,
    updated_at = statement_timestamp(),
    disabled_reason = 'auto-disabled after ' || f.consecutive_failures
        || ' consecutive failures'
FROM failing f WHERE t.id = f.id
RETURNING t.id, t.name, f.consecutive_failures, f.next_scheduled_for
"""


def disable_failing(trigger_ids: Sequence[UUID]) -> list[UUID]:
    """Switch off those that reached their failure threshold; return which.

    Of many that see the threshold reached, one switches off and tells. What was still
    unclaimed does not run.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DISABLE, [list(trigger_ids)])
        disabled = cursor.fetchall()
    for trigger_id, _name, failures, unclaimed in disabled:
        logger.error("Trigger %s auto-disabled after %d failures", trigger_id, failures)
        after = settled_up_to(unclaimed, database_now())
        switch_off_version(trigger_id=trigger_id, after=after)
        get_clock().unschedule_trigger(trigger_id)
    record_events([_announcement(*row[:3]) for row in disabled])
    return [row[0] for row in disabled]


def _announcement(trigger_id: UUID, name: str, failures: int) -> NewEvent:
    payload = {"trigger_id": str(trigger_id), "name": name, "failures": failures}
    return NewEvent(
        type="trigger.auto_disabled",
        source=EventSource.INTERNAL,
        body=dump_json(payload).encode(),
    )
