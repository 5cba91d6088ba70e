from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from croniter import croniter

from triggers.schedules.cron_times import CronTimes
from triggers.schedules.presets import describe_cron

CACHED_DATES = 16_384
ONE_DAY = timedelta(days=1)
# From here on every weekday has its 29 February before croniter gives up (50 years).
ANY_DAY = date(2000, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CronRule:
    """The wall times of a cron expression.

    `dates` are expressions for midnight in plain numbers, which mean the same to
    croniter as to Debian's cron; a date is due if it matches one of them.
    """

    expression: str
    # These follow from the expression, which is enough to tell rules apart.
    times: CronTimes = field(compare=False)
    dates: tuple[str, ...] = field(compare=False)
    follows_elapsed_time: bool = field(compare=False)

    def next_wall(self, after: datetime) -> datetime | None:
        today = after.date()
        later_today = self.times.next_after(after.time())
        if later_today is None:
            day = next_date(self.dates, today)
        else:
            day = next_date(self.dates, today - ONE_DAY)
            if day == today:
                return datetime.combine(today, later_today)
        return None if day is None else datetime.combine(day, self.times.first)

    def describe(self) -> str:
        return describe_cron(self.expression)


def has_match(dates: str) -> bool:
    """Tell whether the calendar has a date for this expression."""
    return _next_match(dates, ANY_DAY) is not None


# Most schedules share their dates (every day, weekdays) with many others.
@lru_cache(maxsize=CACHED_DATES)
def next_date(alternatives: tuple[str, ...], after: date) -> date | None:
    """Return the first date later than `after` that fits one of the expressions."""
    found = (_next_match(dates, after) for dates in alternatives)
    return min((day for day in found if day is not None), default=None)


def _next_match(dates: str, after: date) -> date | None:
    midnight = datetime.combine(after, time())
    # croniter keeps its position in the object: a copy keeps the shared one clean.
    search = copy(_croniter(dates))
    try:
        return search.get_next(datetime, start_time=midnight).date()
    except (ValueError, OverflowError):  # not within 50 years, or before the year 10000
        return None


@lru_cache(maxsize=4096)
def _croniter(dates: str) -> croniter[datetime]:
    return croniter(dates, day_or=False)
