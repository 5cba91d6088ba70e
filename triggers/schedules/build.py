from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from common.errors import Fault
from triggers.schedules import cron, daily, interval, once, weekly
from triggers.schedules.base import InvalidSchedule, Schedule
from triggers.schedules.spec import ScheduleBuilder, ScheduleSpec
from triggers.schedules.wall_clock import DstGap, DstOverlap
from triggers.schedules.zones import explain_unknown_zone

Choice = TypeVar("Choice", bound=StrEnum)

BUILDERS: dict[str, ScheduleBuilder] = {
    "cron": cron.build,
    "interval": interval.build,
    "daily": daily.build,
    "weekly": weekly.build,
    "once": once.build,
}


def build_schedule(
    schedule_type: str,
    *,
    config: Mapping[str, object],
    cron_expression: str | None,
    timezone: str,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
    anchor: datetime,
    dst_gap: str = "after",
    dst_overlap: str = "first",
    is_stored: bool = False,
) -> Schedule:
    """Build a schedule from a trigger's fields; `anchor` is when it was created.

    Only a cron schedule reads `cron_expression`. A stored expression can also be one
    that only earlier releases accepted. Raises InvalidSchedule with all faults; their
    pointers name the fields of the API.
    """
    zone_fault = explain_unknown_zone(timezone)
    faults = [Fault("/timezone", zone_fault)] if zone_fault else []
    spec = ScheduleSpec(
        config=config,
        cron_expression=cron_expression,
        timezone=timezone,
        start_at=_read_limit("start_at", start_at, faults),
        end_at=_read_limit("end_at", end_at, faults),
        anchor=anchor,
        dst_gap=_read_choice("dst_gap", dst_gap, DstGap.AFTER, faults),
        dst_overlap=_read_choice("dst_overlap", dst_overlap, DstOverlap.FIRST, faults),
        is_stored=is_stored,
    )
    if spec.start_at and spec.end_at and spec.start_at >= spec.end_at:
        faults.append(Fault("/end_at", "'end_at' must be later than 'start_at'."))
    try:
        builder = BUILDERS.get(str(schedule_type).lower())
        if builder is None:
            detail = f"The schedule type must be one of: {', '.join(BUILDERS)}."
            raise InvalidSchedule.from_faults([Fault("/schedule_type", detail)])
        schedule = builder(spec)
    except InvalidSchedule as invalid:
        raise InvalidSchedule.from_faults([*faults, *invalid.faults]) from invalid
    if faults:
        raise InvalidSchedule.from_faults(faults)
    return schedule


def _read_limit(
    field: str, value: datetime | None, faults: list[Fault]
) -> datetime | None:
    """Return `start_at` or `end_at` in UTC; add a fault and return None if invalid."""
    if value is None:
        return None
    if value.tzinfo is None:
        faults.append(Fault(f"/{field}", f"'{field}' needs a UTC offset."))
        return None
    try:
        return value.astimezone(UTC)
    except OverflowError:
        faults.append(Fault(f"/{field}", f"'{field}' is out of range."))
        return None


def _read_choice(
    field: str, value: str, default: Choice, faults: list[Fault]
) -> Choice:
    try:
        return type(default)(value)
    except ValueError:
        choices = ", ".join(type(default))
        faults.append(Fault(f"/{field}", f"'{field}' must be one of: {choices}."))
        return default
