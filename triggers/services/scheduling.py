"""From a trigger's columns to its schedule, its jitter and its next run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from triggers.models import ScheduleType, Trigger
from triggers.schedules import Schedule, build_schedule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def schedule_of(trigger: Trigger) -> Schedule:
    """Return a trigger's schedule, cached by its fields; raise InvalidSchedule."""
    # Only an interval counts from its anchor. Without it, triggers share the others.
    is_anchored = trigger.schedule_type == ScheduleType.INTERVAL
    return _build(
        trigger.schedule_type or "",
        json.dumps(trigger.schedule_config),
        trigger.cron_expression,
        trigger.timezone,
        trigger.start_at,
        trigger.end_at,
        trigger.schedule_anchor if is_anchored else _EPOCH,
        trigger.dst_gap,
        trigger.dst_overlap,
    )


def plan_next(trigger: Trigger, *, after: datetime) -> None:
    """Set the instants of the next run later than `after`; null if there is none.

    Occurrences that come due before the end of a pause are left out.
    """
    nominal, jitter = None, jitter_of(trigger)
    if trigger.paused_until is not None and trigger.paused_until > after:
        after = max(after, trigger.paused_until - jitter - timedelta(microseconds=1))
    if trigger.can_run and trigger.has_schedule and not is_spent(trigger):
        nominal = schedule_of(trigger).next_after(after)
    if nominal is not None and nominal > _END_OF_TIME - jitter:
        nominal = None
    trigger.next_scheduled_for = nominal
    trigger.next_run_time = nominal + jitter if nominal else None


def jitter_of(trigger: Trigger) -> timedelta:
    """Return the delay of a trigger's runs: fixed, between 0 and `jitter_seconds`."""
    if not trigger.jitter_seconds:
        return timedelta(0)
    milliseconds = trigger.id.int % (trigger.jitter_seconds * 1000)
    return timedelta(milliseconds=milliseconds)


def is_spent(trigger: Trigger) -> bool:
    """Return whether a schedule has reached `max_runs`."""
    return trigger.max_runs is not None and trigger.scheduled_runs >= trigger.max_runs


@lru_cache(maxsize=4096)
def _build(
    schedule_type: str,
    config: str,
    cron_expression: str | None,
    timezone: str,
    start_at: datetime | None,
    end_at: datetime | None,
    anchor: datetime,
    dst_gap: str,
    dst_overlap: str,
) -> Schedule:
    return build_schedule(
        schedule_type,
        config=json.loads(config),
        cron_expression=cron_expression,
        timezone=timezone,
        start_at=start_at,
        end_at=end_at,
        anchor=anchor,
        dst_gap=dst_gap,
        dst_overlap=dst_overlap,
    )
