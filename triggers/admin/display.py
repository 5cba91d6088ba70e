"""How lists of triggers show and filter a trigger's state and what starts it."""

from __future__ import annotations

import calendar
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter

from triggers.models import ScheduleType, Trigger, TriggerType
from triggers.schedules import DEFAULT_DAY, DEFAULT_SECONDS, DEFAULT_TIME


def state_of(trigger: Trigger) -> str:
    if trigger.deleted_at is not None:
        return "deleted"
    if trigger.is_active:
        return "paused" if trigger.is_paused(timezone.now()) else "active"
    is_auto = trigger.disabled_reason.startswith("auto-disabled")
    return "auto-disabled" if is_auto else "disabled"


def starts_by(trigger: Trigger) -> str:
    """Return a few words on what starts a trigger."""
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
    time = config.get("time") or DEFAULT_TIME.isoformat("minutes")
    match trigger.schedule_type:
        case ScheduleType.CRON:
            return trigger.cron_expression or ""
        case ScheduleType.INTERVAL:
            return f"every {config.get('interval_seconds') or DEFAULT_SECONDS} s"
        case ScheduleType.DAILY:
            return f"daily at {time}"
        case ScheduleType.WEEKLY:
            day = calendar.day_name[config.get("day") or DEFAULT_DAY]
            return f"{day}s at {time}"
    return "once"


class StateFilter(DropdownFilter):  # type: ignore[misc]  # is untyped
    """Filters by state; shows deleted triggers only if "deleted" is chosen."""

    title = "status"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = ("active", "paused", "disabled", "auto-disabled", "deleted")
        return [(name, name) for name in names]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Trigger]
    ) -> QuerySet[Trigger]:
        auto = {"disabled_reason__startswith": "auto-disabled"}
        paused = {"paused_until__gt": timezone.now()}
        present = queryset.filter(deleted_at=None)
        match self.value():
            case "active":
                return present.filter(is_active=True).exclude(**paused)
            case "paused":
                return present.filter(is_active=True, **paused)
            case "disabled":
                return present.filter(is_active=False).exclude(**auto)
            case "auto-disabled":
                return present.filter(is_active=False, **auto)
            case "deleted":
                return queryset.exclude(deleted_at=None)
        return present
