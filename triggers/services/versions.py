"""The history of a trigger's schedule: what it was, from when to when."""

from __future__ import annotations

from uuid import UUID

from django.db.models.functions import Now

from common.ids import uuid7
from triggers.models import ScheduleVersion, Trigger

_FIELDS = (
    "schedule_type",
    "schedule_config",
    "cron_expression",
    "timezone",
    "start_at",
    "end_at",
    "max_runs",
    "jitter_seconds",
    "dst_gap",
    "dst_overlap",
    "catchup",
    "catchup_window_seconds",
    "misfire_grace_seconds",
    "overlap",
    "paused_until",
    "schedule_anchor",
)


def write_version(trigger: Trigger) -> None:
    """Close the current version of a trigger's schedule and open the next.

    The caller holds the trigger's row lock.
    """
    close_version(trigger_id=trigger.id)
    if trigger.has_schedule:
        ScheduleVersion.objects.create(
            id=uuid7(),
            trigger=trigger,
            is_active=trigger.can_run,
            definition=definition_of(trigger),
            valid_from=Now(),
        )


def close_version(*, trigger_id: UUID) -> None:
    current = ScheduleVersion.objects.filter(trigger_id=trigger_id, valid_to=None)
    current.update(valid_to=Now())


def definition_of(trigger: Trigger) -> dict[str, object]:
    """Return all that says when a trigger comes due, as JSON values."""
    return {name: _plain(trigger, name) for name in _FIELDS}


def _plain(trigger: Trigger, name: str) -> object:
    value = getattr(trigger, name)
    return value.isoformat() if hasattr(value, "isoformat") else value
