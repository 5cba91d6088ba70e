from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from triggers.schedules.base import Schedule
from triggers.schedules.spec import ConfigReader, ScheduleSpec

DEFAULT_TIME = time(9)


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyRule:
    time: time

    @property
    def follows_elapsed_time(self) -> bool:
        return False

    @property
    def most_per_hour(self) -> int:
        return 1

    def next_wall(self, after: datetime) -> datetime | None:
        today = datetime.combine(after, self.time)
        return today if today > after else today + timedelta(days=1)

    def describe(self) -> str:
        return f"Daily at {format_time(self.time)}"


def format_time(moment: time) -> str:
    return moment.isoformat("seconds" if moment.second else "minutes")


def build(spec: ScheduleSpec) -> Schedule:
    reader = ConfigReader(spec.config)
    rule = DailyRule(time=reader.time_of_day("time", default=DEFAULT_TIME))
    reader.finish()
    return spec.with_rule(rule)
