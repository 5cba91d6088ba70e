"""How lists of triggers show and filter a trigger's state and what starts it."""

from __future__ import annotations

import calendar
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter

from common.wording import duration_text
from triggers.models import OwnerReason, ScheduleType, Trigger, TriggerType
from triggers.schedules import DEFAULT_DAY, DEFAULT_SECONDS, DEFAULT_TIME
from triggers.wording import STATES, State


def state_of(trigger: Trigger) -> State:
    if trigger.deleted_at is not None:
        return State.DELETED
    if trigger.is_active:
        is_paused = trigger.is_paused(timezone.now())
        return State.PAUSED if is_paused else State.ACTIVE
    if trigger.disabled_reason in OwnerReason:
        return State.OWNER_LOST
    is_auto = trigger.disabled_reason.startswith("auto-disabled")
    return State.AUTO_DISABLED if is_auto else State.DISABLED


def starts_by(trigger: Trigger) -> str:
    """Return a few words on what starts a trigger."""
    match trigger.trigger_type:
        case TriggerType.CRON:
            return f"{_schedule(trigger)}, {trigger.timezone}"
        case TriggerType.EVENT:
            return ", ".join(sorted(s.pattern for s in trigger.subscriptions.all()))
        case TriggerType.WEBHOOK if trigger.endpoint is not None:
            return f"{trigger.endpoint.type} webhook"
    return "only by hand"


def _schedule(trigger: Trigger) -> str:
    config = trigger.schedule_config
    time = config.get("time") or DEFAULT_TIME.isoformat("minutes")
    match trigger.schedule_type:
        case ScheduleType.CRON:
            return trigger.cron_expression or ""
        case ScheduleType.INTERVAL:
            seconds = config.get("interval_seconds") or DEFAULT_SECONDS
            return f"every {duration_text(seconds * 1000)}"
        case ScheduleType.DAILY:
            return f"daily at {time}"
        case ScheduleType.WEEKLY:
            day = calendar.day_name[config.get("day") or DEFAULT_DAY]
            weeks = config.get("every") or 1
            return f"{day}s at {time}" + (f", every {weeks} weeks" if weeks > 1 else "")
    return "once"


class StateFilter(DropdownFilter):  # type: ignore[misc]  # is untyped
    """Filters by state; shows deleted triggers only if "deleted" is chosen."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, found.word) for state, found in STATES.items()]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Trigger]
    ) -> QuerySet[Trigger]:
        auto = {"disabled_reason__startswith": "auto-disabled"}
        owner_lost = {"disabled_reason__in": OwnerReason.values}
        paused = {"paused_until__gt": timezone.now()}
        present = queryset.filter(deleted_at=None)
        match self.value():
            case State.ACTIVE:
                return present.filter(is_active=True).exclude(**paused)
            case State.PAUSED:
                return present.filter(is_active=True, **paused)
            case State.DISABLED:
                off = present.filter(is_active=False)
                return off.exclude(**auto).exclude(**owner_lost)
            case State.OWNER_LOST:
                return present.filter(is_active=False, **owner_lost)
            case State.AUTO_DISABLED:
                return present.filter(is_active=False, **auto)
            case State.DELETED:
                return queryset.exclude(deleted_at=None)
        return present
