from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from string import ascii_letters, digits

from croniter import croniter

from common.errors import Fault
from triggers.schedules.base import InvalidSchedule, Schedule
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

DEFAULT_EXPRESSION = "0 * * * *"
POINTER = "/cron_expression"
CONFIG_POINTER = "/schedule_config/cron"


def build(spec: ScheduleSpec) -> Schedule:
    """Build a cron schedule; the expression may stand in the config instead."""
    reader = ConfigReader(spec.config)
    in_config = reader.get("cron")
    reader.finish()
    if spec.cron_expression is None and in_config is not None:
        return spec.with_rule(_parse(in_config, CONFIG_POINTER))
    if spec.cron_expression is not None and in_config is not None:
        _refuse_contradiction(spec.cron_expression, in_config)
    expression = spec.cron_expression
    if expression is None:
        expression = DEFAULT_EXPRESSION
    return spec.with_rule(_parse(expression, POINTER))


def validate_cron(expression: str) -> tuple[bool, str]:
    """Return whether the expression is valid, and a message either way."""
    try:
        parse_cron(expression)
    except CronSyntaxError as error:
        return False, _explain(expression, error)
    return True, "Valid cron expression"


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


def _refuse_contradiction(expression: str, in_config: object) -> None:
    if in_config != expression:
        detail = "'cron' differs from 'cron_expression'; give one of them."
        raise InvalidSchedule.from_faults([Fault(CONFIG_POINTER, detail)])


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


@lru_cache(maxsize=4096)
def parse_cron(text: str) -> CronRule:
    """Read a cron expression; raises CronSyntaxError, which says what is wrong."""
    _refuse_unreadable(text)
    expression = " ".join(text.split())
    second, minute, hour, day, month, weekday = _split(_expand_shortcut(expression))
    times = CronTimes(
        hours=_sorted_numbers(HOUR, hour),
        minutes=_sorted_numbers(MINUTE, minute),
        seconds=_sorted_numbers(SECOND, second),
    )
    months = write_numbers(MONTH, parse_numbers(MONTH, month))
    return CronRule(
        expression=expression,
        times=times,
        dates=_possible(
            f"0 0 {days} {months} {weekdays}"
            for days, weekdays in pair_days(day, weekday)
        ),
        follows_elapsed_time=is_star(minute) or is_star(hour),
    )


def _sorted_numbers(cron_field: CronField, text: str) -> tuple[int, ...]:
    return tuple(sorted(parse_numbers(cron_field, text)))


def _refuse_unreadable(text: str) -> None:
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


def _possible(dates: Iterable[str]) -> tuple[str, ...]:
    possible = tuple(alternative for alternative in dates if has_match(alternative))
    if not possible:
        raise CronSyntaxError("no calendar has such a date")
    return possible


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
