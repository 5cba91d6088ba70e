from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from triggers.schedules.base import Schedule
from triggers.schedules.daily import DEFAULT_TIME, format_time
from triggers.schedules.spec import ConfigReader, ScheduleSpec

MONDAY, SUNDAY = 0, 6
DEFAULT_DAY = MONDAY


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyRule:
    """One time of day on one day of the week; 0 is Monday."""

    day: int
    time: time

    @property
    def follows_elapsed_time(self) -> bool:
        return False

    def next_wall(self, after: datetime) -> datetime | None:
        days_ahead = (self.day - after.weekday()) % 7
        wall = datetime.combine(after, self.time) + timedelta(days=days_ahead)
        return wall if wall > after else wall + timedelta(weeks=1)

    def describe(self) -> str:
        return f"Weekly on {calendar.day_name[self.day]} at {format_time(self.time)}"


def build(spec: ScheduleSpec) -> Schedule:
    reader = ConfigReader(spec.config)
    rule = WeeklyRule(
        day=reader.integer("day", default=DEFAULT_DAY, low=MONDAY, high=SUNDAY),
        time=reader.time_of_day("time", default=DEFAULT_TIME),
    )
    reader.finish()
    return spec.with_rule(rule)
