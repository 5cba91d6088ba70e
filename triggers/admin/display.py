"""What a trigger's row says of it in a list."""

from __future__ import annotations

from triggers.models import ScheduleType, Trigger, TriggerType

WEEKDAYS = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)


def state_of(trigger: Trigger) -> str:
    if trigger.deleted_at is not None:
        return "deleted"
    if trigger.is_active:
        return "active"
    is_auto = trigger.disabled_reason.startswith("auto-disabled")
    return "auto-disabled" if is_auto else "disabled"


def starts_by(trigger: Trigger) -> str:
    """Say in a few words what starts a trigger."""
    match trigger.trigger_type:
        case TriggerType.CRON:
            return f"{_schedule(trigger)} ({trigger.timezone})"
        case TriggerType.EVENT:
            return ", ".join(sorted(s.pattern for s in trigger.subscriptions.all()))
        case TriggerType.WEBHOOK if trigger.endpoint is not None:
            return trigger.endpoint.type
    return "by hand"


def _schedule(trigger: Trigger) -> str:
    config = trigger.schedule_config
    match trigger.schedule_type:
        case ScheduleType.CRON:
            return trigger.cron_expression or ""
        case ScheduleType.INTERVAL:
            return f"every {config.get('interval_seconds', 3600)} s"
        case ScheduleType.DAILY:
            return f"daily at {config.get('time', '09:00')}"
        case ScheduleType.WEEKLY:
            day = WEEKDAYS[config.get("day", 0)]
            return f"{day}s at {config.get('time', '09:00')}"
    return "once"
