"""Whether a schedule has a run ahead; if it has none, which field is to blame."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from common.errors import Fault
from triggers.schedules.base import Schedule
from triggers.schedules.once import OnceRule, OnceSchedule
from triggers.schedules.wall_clock import DstGap, WallClockSchedule


def find_no_run(schedule: Schedule, *, after: datetime) -> Fault | None:
    """Return why the schedule has no run later than `after`; None if it has one."""
    if schedule.next_after(after) is not None:
        return None
    if schedule.end_at is not None and schedule.end_at <= after:
        detail = "'end_at' is in the past, so the schedule has no further run;"
        return Fault("/end_at", f"{detail} give a later one, or leave it out")
    endless = replace(schedule, end_at=None)
    following = endless.next_after(after)
    if following is not None:
        detail = (
            f"The next run would be at {following:%Y-%m-%dT%H:%M:%SZ}, after 'end_at'"
        )
        return Fault("/end_at", f"{detail}; give a later one, or leave it out")
    rule = schedule.rule if isinstance(schedule, WallClockSchedule) else schedule
    if isinstance(rule, OnceRule | OnceSchedule):
        if replace(endless, start_at=None).next_after(after) is not None:
            detail = "'start_at' is later than 'at', the only run; leave it out"
            return Fault("/start_at", detail)
        detail = "'at' is in the past, or beyond the year 9999"
        return Fault("/schedule_config/at", f"{detail}; give a time in the future")
    if isinstance(schedule, WallClockSchedule) and schedule.dst_gap is DstGap.SKIP:
        detail = "Each run falls into a gap when the clocks change, and is skipped"
        return Fault("/dst_gap", f"{detail}; 'after' runs it after the gap")
    detail = "The schedule has no run before the year 9999; give an earlier start"
    return Fault("/start_at", detail)
