"""Cron rules: from an expression to the dates and times at which it comes due."""

from __future__ import annotations

from bisect import bisect_right
from copy import copy
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from string import ascii_letters, digits

from croniter import croniter

from triggers.schedules.cron_fields import (
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    CronField,
    CronSyntaxError,
    is_star,
    pair_days,
    parse_numbers,
    write_numbers,
)
from triggers.schedules.cron_surprises import find_surprises
from triggers.schedules.presets import describe_cron

LONGEST_EXPRESSION = 255
SHORTCUTS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
CHARACTERS = frozenset(ascii_letters + digits + "*/,-#@ \t")
FIELDS_EXPECTED = (
    "expected 5 fields (minute, hour, day of month, month, day of week),"
    " or 6 with seconds first"
)
CACHED_DATES = 16_384
ONE_DAY = timedelta(days=1)
# In the 50 years from here that croniter searches, every weekday has a 29 February.
ANY_DAY = date(2000, 1, 1)


@lru_cache(maxsize=4096)
def parse_cron(text: str) -> CronRule:
    """Parse a cron expression; raise CronSyntaxError if it is not valid.

    Accepts what any release has stored. `read_cron` is stricter about new texts.
    """
    check_length(text)
    check_characters(text)
    expression = " ".join(text.split())
    second, minute, hour, day, month, weekday = split_fields(
        expand_shortcut(expression)
    )
    times = CronTimes(
        hours=_sorted_numbers(HOUR, hour),
        minutes=_sorted_numbers(MINUTE, minute),
        seconds=_sorted_numbers(SECOND, second),
    )
    months = write_numbers(MONTH, parse_numbers(MONTH, month))
    alternatives = [
        f"0 0 {days} {months} {weekdays}" for days, weekdays in pair_days(day, weekday)
    ]
    dates = tuple(filter(has_match, alternatives))
    if not dates:
        raise CronSyntaxError(
            "no calendar has such a date; 'L' is the last day of a month"
        )
    return CronRule(
        expression=expression,
        times=times,
        dates=dates,
        follows_elapsed_time=is_star(minute) or is_star(hour),
    )


def _sorted_numbers(cron_field: CronField, text: str) -> tuple[int, ...]:
    return tuple(sorted(parse_numbers(cron_field, text)))


def check_length(text: str) -> None:
    if len(text) > LONGEST_EXPRESSION:
        raise CronSyntaxError(f"it is longer than {LONGEST_EXPRESSION} characters")
    if not text.strip():
        raise CronSyntaxError(f"it is empty; {FIELDS_EXPECTED}")


def check_characters(text: str) -> None:
    unexpected = next((c for c in text if c not in CHARACTERS), None)
    if unexpected is not None:
        raise CronSyntaxError(f"unexpected character {unexpected!a}")


def expand_shortcut(expression: str) -> str:
    if not expression.startswith("@"):
        return expression
    if expression.lower() in SHORTCUTS:
        return SHORTCUTS[expression.lower()]
    known = ", ".join(SHORTCUTS)
    raise CronSyntaxError(f"'{expression}' is not supported; known are {known}")


def split_fields(expression: str) -> list[str]:
    """Return six upper-case fields, seconds first."""
    fields = expression.upper().split()
    if len(fields) == 5:
        return ["0", *fields]
    if len(fields) == 6:
        return fields
    raise CronSyntaxError(f"it has {len(fields)} fields; {FIELDS_EXPECTED}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CronRule:
    """The wall times of a cron expression.

    `dates` are expressions for midnight that hold numbers only: croniter and Debian's
    cron read those alike. A date is due if it matches one of them.
    """

    expression: str
    # The others follow from the expression, so comparing it is enough.
    times: CronTimes = field(compare=False)
    dates: tuple[str, ...] = field(compare=False)
    follows_elapsed_time: bool = field(compare=False)

    @property
    def most_per_hour(self) -> int:
        return len(self.times.minutes) * len(self.times.seconds)

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
        description = describe_cron(self.expression)
        fields = split_fields(expand_shortcut(self.expression))
        notes = "; ".join(find_surprises(fields))
        return f"{description} ({notes})" if notes else description


def has_match(dates: str) -> bool:
    """Return whether any date matches this expression."""
    return _next_match(dates, ANY_DAY) is not None


# Most schedules share their dates (every day, weekdays) with many others.
@lru_cache(maxsize=CACHED_DATES)
def next_date(alternatives: tuple[str, ...], after: date) -> date | None:
    """Return the first date later than `after` that matches one of the expressions."""
    found = (_next_match(dates, after) for dates in alternatives)
    return min((day for day in found if day is not None), default=None)


def _next_match(dates: str, after: date) -> date | None:
    midnight = datetime.combine(after, time())
    # croniter stores its position in the object, so search in a copy of the cached one.
    search = copy(_croniter(dates))
    try:
        return search.get_next(datetime, start_time=midnight).date()
    except (ValueError, OverflowError):  # not within 50 years, or before the year 10000
        return None


@lru_cache(maxsize=4096)
def _croniter(dates: str) -> croniter[datetime]:
    return croniter(dates, day_or=False)


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
