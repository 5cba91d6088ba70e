from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triggers.models import ScheduleType, Trigger, TriggerType

HOURLY_LIMIT = 60
_LIMITED = (TriggerType.WEBHOOK, TriggerType.EVENT)


def default_hourly_limit(trigger_type: str) -> int | None:
    """Return the limit of a trigger that names none; a schedule is its own limit."""
    return HOURLY_LIMIT if trigger_type in _LIMITED else None


def set_columns(trigger: Trigger, fields: Mapping[str, Any]) -> None:
    """Set columns of an unsaved trigger, and what follows from them."""
    for name, value in fields.items():
        setattr(trigger, name, value)
    if trigger.trigger_type != TriggerType.WEBHOOK and "endpoint" not in fields:
        trigger.endpoint = None
    if trigger.has_schedule:
        _settle_cron(trigger)


def _settle_cron(trigger: Trigger) -> None:
    """Let an expression say that this is a cron schedule, wherever it stands."""
    in_config = trigger.schedule_config.get("cron")
    if trigger.cron_expression is None and isinstance(in_config, str):
        trigger.cron_expression = in_config
    if trigger.cron_expression is not None and trigger.schedule_type is None:
        trigger.schedule_type = ScheduleType.CRON
