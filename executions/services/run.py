from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from common.errors import RateLimited
from common.fields import dump_json
from events.models import EventSource
from events.services.record import NewEvent, record_events
from executions.models import ExecutionStatus, TriggerExecution
from executions.pipeline.admission.hourly_limit import used_this_hour
from triggers.models import Trigger
from triggers.services.lifecycle import TriggerNotFound

HOUR = timedelta(hours=1)


class HourlyLimitReached(RateLimited):
    """The trigger has had its executions for this hour."""

    code = "hourly_limit_reached"


def run_trigger(
    *,
    trigger_id: UUID,
    payload: Mapping[str, object] | None = None,
    parameters: Mapping[str, object] | None = None,
    skip_conditions: bool = False,
) -> UUID:
    """Record that a person wants a trigger to run now; return the event's id.

    Works on disabled triggers. Raises TriggerNotFound, HourlyLimitReached.
    """
    trigger = Trigger.objects.present().filter(pk=trigger_id).first()
    if trigger is None:
        raise TriggerNotFound
    _check_limit(trigger)
    event = NewEvent(
        type="trigger.run",
        source=EventSource.MANUAL,
        subject=trigger.subject,
        trigger_id=trigger.id,
        body=dump_json(dict(payload or {})).encode(),
        options=dump_json(
            {"parameters": dict(parameters or {}), "skip_conditions": skip_conditions}
        ),
    )
    record_events([event])
    return event.id


def _check_limit(trigger: Trigger) -> None:
    limit = trigger.max_executions_per_hour
    if limit is None or used_this_hour([trigger])[trigger.id] < limit:
        return
    raise HourlyLimitReached(
        f"Trigger '{trigger.name}' had its {limit} executions within the last hour",
        retry_after_seconds=_until_one_leaves_the_window(trigger, limit),
    )


def _until_one_leaves_the_window(trigger: Trigger, limit: int) -> int:
    now = timezone.now()
    counted = TriggerExecution.objects.filter(
        trigger=trigger, executed_at__gt=now - HOUR
    ).exclude(status=ExecutionStatus.SKIPPED)
    newest_first = counted.order_by("-executed_at").values_list(
        "executed_at", flat=True
    )
    oldest = newest_first[limit - 1 : limit].first()
    return max(1, round((oldest + HOUR - now).total_seconds())) if oldest else 1
