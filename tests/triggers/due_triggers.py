from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from common.database.sql import database_now
from events.models import Event
from tests.factories import make_trigger
from triggers.models import Trigger

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def make_due(**fields: Any) -> Trigger:
    """Create a trigger that runs every minute and has been due since NOON."""
    due_at = fields.pop("due_at", NOON)
    trigger = make_trigger(
        **{
            "trigger_type": "cron",
            "schedule_type": "cron",
            "cron_expression": "* * * * *",
            **fields,
        }
    )
    Trigger.objects.filter(pk=trigger.pk).update(
        next_run_time=due_at, next_scheduled_for=due_at
    )
    return trigger


def make_due_once() -> Trigger:
    """Create a trigger that is due now, and then only on the next 29 February.

    A trigger that runs every minute could come due again during the test.
    """
    return make_due(cron_expression="0 0 29 2 *", due_at=database_now())


def fired(trigger: Trigger) -> list[datetime]:
    """Return the occurrences that have an event."""
    events = Event.objects.filter(trigger_id=trigger.pk, type="schedule.due")
    instants = events.order_by("scheduled_for").values_list("scheduled_for", flat=True)
    return [at for at in instants if at is not None]


def missed(trigger: Trigger) -> list[dict[str, object]]:
    """Return the bodies of the events of missed ranges."""
    events = Event.objects.filter(trigger_id=trigger.pk, type="schedule.missed")
    return [json.loads(bytes(event.body)) for event in events.order_by("id")]
