from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from common.fields import dump_json
from events.models import EventSource
from events.services.record import NewEvent, record_events
from triggers.clocks.base import get_clock
from triggers.services.versions import close_version

logger = logging.getLogger(__name__)

_DISABLE = """
UPDATE triggers_trigger t SET
    is_active = false, active_since = NULL, next_run_time = NULL,
    next_scheduled_for = NULL, version = t.version + 1,
    updated_at = statement_timestamp(),
    disabled_reason = 'auto-disabled after ' || s.consecutive_failures
        || ' consecutive failures'
FROM triggers_triggerstats s
WHERE t.id = ANY(%s) AND s.trigger_id = t.id AND t.is_active
AND s.consecutive_failures >= t.failure_threshold
RETURNING t.id, t.name, s.consecutive_failures
"""


def disable_failing(trigger_ids: Sequence[UUID]) -> list[UUID]:
    """Switch off those that reached their failure threshold; return which.

    Of many that see the threshold reached, one switches off and tells.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DISABLE, [list(trigger_ids)])
        disabled = cursor.fetchall()
    for trigger_id, _name, failures in disabled:
        logger.error("Trigger %s auto-disabled after %d failures", trigger_id, failures)
        close_version(trigger_id=trigger_id)
        get_clock().unschedule_trigger(trigger_id)
    record_events([_announcement(*row) for row in disabled])
    return [row[0] for row in disabled]


def _announcement(trigger_id: UUID, name: str, failures: int) -> NewEvent:
    payload = {"trigger_id": str(trigger_id), "name": name, "failures": failures}
    return NewEvent(
        type="trigger.auto_disabled",
        source=EventSource.INTERNAL,
        body=dump_json(payload).encode(),
    )
