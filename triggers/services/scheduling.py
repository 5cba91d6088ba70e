from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from triggers.models import ScheduleType, Trigger
from triggers.schedules import Schedule, build_schedule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_OF_THE_CALENDAR = datetime.max.replace(tzinfo=UTC)


def schedule_of(trigger: Trigger) -> Schedule:
    """Return a trigger's schedule; raises InvalidSchedule. Equal ones are shared."""
    # Only an interval counts from its anchor; the others are shared by many triggers.
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
    """Set when a trigger comes due next, later than `after`; null when it doesn't.

    What would come due before the end of its pause is left out.
    """
    nominal, jitter = None, jitter_of(trigger)
    if trigger.can_run and trigger.has_schedule and not is_spent(trigger):
        nominal = schedule_of(trigger).next_after(_not_paused(trigger, after))
    if nominal is not None and nominal > _END_OF_THE_CALENDAR - jitter:
        nominal = None
    trigger.next_scheduled_for = nominal
    trigger.next_run_time = nominal + jitter if nominal else None


def _not_paused(trigger: Trigger, after: datetime) -> datetime:
    """Return the instant after which occurrences are outside a trigger's pause."""
    until = trigger.paused_until
    if until is None or until <= after:
        return after
    return max(after, until - jitter_of(trigger) - timedelta(microseconds=1))


def jitter_of(trigger: Trigger) -> timedelta:
    """Return a trigger's stable slot within its jitter."""
    if not trigger.jitter_seconds:
        return timedelta(0)
    milliseconds = trigger.id.int % (trigger.jitter_seconds * 1000)
    return timedelta(milliseconds=milliseconds)


def is_spent(trigger: Trigger) -> bool:
    """Whether a schedule has run as often as it may."""
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
