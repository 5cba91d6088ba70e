from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import time


@dataclass(frozen=True, slots=True, kw_only=True)
class CronTimes:
    """The times of day of a cron expression: its hours, minutes and seconds, sorted."""

    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]

    @property
    def first(self) -> time:
        return time(self.hours[0], self.minutes[0], self.seconds[0])

    def next_after(self, moment: time) -> time | None:
        """Return the first time of the day later than `moment`, if there is one."""
        hour, minute = moment.hour, moment.minute
        if hour in self.hours:
            if minute in self.minutes:
                second = _next_number(self.seconds, moment.second)
                if second is not None:
                    return time(hour, minute, second)
            next_minute = _next_number(self.minutes, minute)
            if next_minute is not None:
                return time(hour, next_minute, self.seconds[0])
        next_hour = _next_number(self.hours, hour)
        if next_hour is not None:
            return time(next_hour, self.minutes[0], self.seconds[0])
        return None


def _next_number(numbers: tuple[int, ...], after: int) -> int | None:
    position = bisect_right(numbers, after)
    return numbers[position] if position < len(numbers) else None
