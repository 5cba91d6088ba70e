"""Cron schedules: from an expression to the dates and times at which it comes due."""

from __future__ import annotations

from bisect import bisect_right
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from string import ascii_letters, digits

from croniter import croniter

from common.errors import Fault
from triggers.schedules.base import InvalidSchedule, Schedule, occurrences
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
from triggers.schedules.presets import describe_cron
from triggers.schedules.spec import ConfigReader, ScheduleSpec
from triggers.schedules.wall_clock import WallClockSchedule

DEFAULT_EXPRESSION = "0 * * * *"
POINTER = "/cron_expression"
CONFIG_POINTER = "/schedule_config/cron"
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


def build(spec: ScheduleSpec) -> Schedule:
    """Build a cron schedule; the config can hold the expression instead."""
    reader = ConfigReader(spec.config)
    in_config = reader.get("cron")
    reader.finish()
    expression = spec.cron_expression
    if expression is None and in_config is not None:
        return spec.with_rule(_parse(in_config, CONFIG_POINTER))
    if expression is None:
        expression = DEFAULT_EXPRESSION
    elif in_config is not None and in_config != expression:
        detail = "'cron' differs from 'cron_expression'; give one of them."
        raise InvalidSchedule.from_faults([Fault(CONFIG_POINTER, detail)])
    return spec.with_rule(_parse(expression, POINTER))


def validate_cron(expression: str) -> tuple[bool, str]:
    """Return whether the expression is valid, and a message either way."""
    try:
        parse_cron(expression)
    except CronSyntaxError as error:
        return False, _explain(expression, error)
    return True, "Valid cron expression"


def next_runs(
    expression: str, count: int = 5, *, after: datetime | None = None
) -> list[datetime]:
    """Return a cron expression's next runs in UTC, from now; [] if it is not valid."""
    try:
        rule = parse_cron(expression)
    except CronSyntaxError:
        return []
    schedule = WallClockSchedule(timezone="UTC", rule=rule)
    return occurrences(schedule, after or datetime.now(UTC), limit=count)


def _parse(expression: object, pointer: str) -> CronRule:
    if not isinstance(expression, str):
        fault = Fault(pointer, "The cron expression must be a string.")
        raise InvalidSchedule.from_faults([fault])
    try:
        return parse_cron(expression)
    except CronSyntaxError as error:
        fault = Fault(pointer, _explain(expression, error))
        raise InvalidSchedule.from_faults([fault]) from error


def _explain(expression: str, error: CronSyntaxError) -> str:
    shown = expression[:LONGEST_EXPRESSION]
    if not shown.isprintable():
        shown = "".join(
            c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown
        )
    return f"Invalid cron expression '{shown}': {error}"


@lru_cache(maxsize=4096)
def parse_cron(text: str) -> CronRule:
    """Parse a cron expression; raise CronSyntaxError if it is not valid."""
    _check_characters(text)
    expression = " ".join(text.split())
    second, minute, hour, day, month, weekday = _split(_expand_shortcut(expression))
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
        raise CronSyntaxError("no calendar has such a date")
    return CronRule(
        expression=expression,
        times=times,
        dates=dates,
        follows_elapsed_time=is_star(minute) or is_star(hour),
    )


def _sorted_numbers(cron_field: CronField, text: str) -> tuple[int, ...]:
    return tuple(sorted(parse_numbers(cron_field, text)))


def _check_characters(text: str) -> None:
    if len(text) > LONGEST_EXPRESSION:
        raise CronSyntaxError(f"it is longer than {LONGEST_EXPRESSION} characters")
    if not text.strip():
        raise CronSyntaxError(f"it is empty; {FIELDS_EXPECTED}")
    if "?" in text:
        raise CronSyntaxError("'?' is not supported; write '*'")
    unexpected = next((c for c in text if c not in CHARACTERS), None)
    if unexpected is not None:
        raise CronSyntaxError(f"unexpected character {unexpected!a}")


def _expand_shortcut(expression: str) -> str:
    if not expression.startswith("@"):
        return expression
    if expression.lower() in SHORTCUTS:
        return SHORTCUTS[expression.lower()]
    known = ", ".join(SHORTCUTS)
    raise CronSyntaxError(f"'{expression}' is not supported; known are {known}")


def _split(expression: str) -> list[str]:
    """Return six upper-case fields, seconds first."""
    fields = expression.upper().split()
    if len(fields) == 5:
        return ["0", *fields]
    if len(fields) == 6:
        return fields
    if len(fields) == 7:
        raise CronSyntaxError(f"a year field is not supported; {FIELDS_EXPECTED}")
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
