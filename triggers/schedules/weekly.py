from __future__ import annotations

import calendar
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from triggers.schedules.base import Schedule
from triggers.schedules.daily import DEFAULT_TIME, format_time
from triggers.schedules.spec import ConfigReader, ScheduleSpec
from triggers.schedules.zones import load_zone, zone_names

MONDAY, SUNDAY = 0, 6
DEFAULT_DAY = MONDAY
MOST_WEEKS = 52


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyRule:
    """One time of day on one day of the week (0 is Monday), every `weeks` weeks.

    `first` is a day on which it comes due, if not each week has one.
    """

    day: int
    time: time
    weeks: int = 1
    first: date | None = None

    @property
    def follows_elapsed_time(self) -> bool:
        return False

    @property
    def most_per_hour(self) -> int:
        return 1

    def next_wall(self, after: datetime) -> datetime:
        if self.first is None:
            days = (self.day - after.weekday()) % 7
        else:
            days = (self.first - after.date()).days % (7 * self.weeks)
        wall = datetime.combine(after, self.time) + timedelta(days=days)
        return wall if wall > after else wall + timedelta(weeks=self.weeks)

    def describe(self) -> str:
        day, at = calendar.day_name[self.day], format_time(self.time)
        if self.weeks == 1:
            return f"Weekly on {day} at {at}"
        return f"Every {self.weeks} weeks on {day} at {at}"


def build(spec: ScheduleSpec) -> Schedule:
    """Build a weekly schedule; every second week counts from its first occurrence.

    That is the first one from `start_at` on, or after the trigger was created.
    """
    reader = ConfigReader(spec.config)
    rule = WeeklyRule(
        day=reader.integer("day", default=DEFAULT_DAY, low=MONDAY, high=SUNDAY),
        time=reader.time_of_day("time", default=DEFAULT_TIME),
        weeks=reader.integer("every", default=1, low=1, high=MOST_WEEKS),
    )
    reader.finish()
    if rule.weeks > 1:
        zone = load_zone(spec.timezone if spec.timezone in zone_names() else "UTC")
        start = (spec.start_at or spec.anchor).astimezone(zone).replace(tzinfo=None)
        each_week = replace(rule, weeks=1)
        first = each_week.next_wall(start - timedelta(microseconds=1))
        rule = replace(rule, first=first.date())
    return spec.with_rule(rule)
