"""An independent implementation of cron: no arithmetic, only a walk over all minutes.

It visits each UTC minute of a window with its wall time. The due instants follow from
which wall times occur there, which occur twice, and which do not exist.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
MARGIN = timedelta(hours=26)  # more than any offset change so far
NAMES = {
    name: str(number)
    for names, first in (
        ("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", 1),
        ("SUN MON TUE WED THU FRI SAT", 0),
    )
    for number, name in enumerate(names.split(), first)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """One UTC minute: its wall time, and the wall times skipped just before it."""

    at: datetime
    wall: datetime
    left_out: tuple[datetime, ...]


Walk = tuple[list[Minute], dict[datetime, list[datetime]]]


def due_instants(
    expression: str,
    timezone: str,
    after: datetime,
    until: datetime,
    *,
    dst_gap: str = "after",
    dst_overlap: str = "first",
    margin: timedelta = MARGIN,
) -> dict[datetime, str | None]:
    """Return every due instant later than `after`, up to `until`, with its note."""
    if follows_elapsed_time(expression):
        dst_gap, dst_overlap = "skip", "both"
    minutes, showings = walk(timezone, after - margin, until + margin)
    due: dict[datetime, str | None] = {}
    for minute in minutes:
        if dst_gap == "after" and minute.left_out and makes_up(expression, minute):
            due[minute.at] = "dst_gap"
        if not has_minute(expression, minute.wall):
            continue
        shown = showings[minute.wall]
        if is_counted(minute, shown, dst_overlap):
            note = "dst_overlap" if len(shown) > 1 else None
            for at in seconds_within(expression, minute):
                due.setdefault(at, note)
    return {at: note for at, note in due.items() if after < at <= until}


@lru_cache(maxsize=64)
def walk(timezone: str, start: datetime, end: datetime) -> Walk:
    """Return the minutes of a window, and the instants of each wall time."""
    zone = ZoneInfo(timezone)
    minutes: list[Minute] = []
    showings: dict[datetime, list[datetime]] = {}
    at = start
    expected = at.astimezone(zone).replace(tzinfo=None, fold=0)
    while at <= end:
        wall = at.astimezone(zone).replace(tzinfo=None, fold=0)
        left_out = tuple(wall_times(expected, wall))
        minutes.append(Minute(at=at, wall=wall, left_out=left_out))
        showings.setdefault(wall, []).append(at)
        expected = wall + MINUTE
        at += MINUTE
    return minutes, showings


def wall_times(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += MINUTE


def makes_up(expression: str, minute: Minute) -> bool:
    return any(has_minute(expression, wall) for wall in minute.left_out)


def is_counted(minute: Minute, showings: list[datetime], dst_overlap: str) -> bool:
    if dst_overlap == "first":
        return minute.at == showings[0]
    if dst_overlap == "second":
        return minute.at == showings[-1]
    return True


def seconds_within(expression: str, minute: Minute) -> list[datetime]:
    second = fields(expression)[0]
    return [minute.at + timedelta(seconds=n) for n in sorted(numbers(second, 0, 59))]


def follows_elapsed_time(expression: str) -> bool:
    return any(field.startswith("*") for field in fields(expression)[1:3])


def matches_wall(expression: str, wall: datetime) -> bool:
    second = fields(expression)[0]
    return wall.second in numbers(second, 0, 59) and has_minute(expression, wall)


def has_minute(expression: str, wall: datetime) -> bool:
    """Return whether some second of the wall time's minute matches."""
    minutes, hours = minutes_and_hours(expression)
    return (
        wall.minute in minutes
        and wall.hour in hours
        and matches_date(expression, wall.date())
    )


@cache
def minutes_and_hours(expression: str) -> tuple[frozenset[int], frozenset[int]]:
    _, minute, hour, _, _, _ = fields(expression)
    return numbers(minute, 0, 59), numbers(hour, 0, 23)


@cache
def matches_date(expression: str, day: date) -> bool:
    _, _, _, dom, month, dow = fields(expression)
    if day.month not in numbers(month, 1, 12):
        return False
    by_day = any(is_day(term, day) for term in dom.split(","))
    by_weekday = any(is_weekday(term, day) for term in dow.split(","))
    if dom.startswith("*") or dow.startswith("*"):
        return by_day and by_weekday
    return by_day or by_weekday


def is_day(term: str, day: date) -> bool:
    if term == "L":
        return (day + timedelta(days=1)).day == 1
    return day.day in numbers(term, 1, 31)


def is_weekday(term: str, day: date) -> bool:
    if "L" in term:
        days = calendar.monthrange(day.year, day.month)[1]
        return is_weekday(term.strip("L"), day) and day.day > days - 7
    if "#" in term:
        weekday, nth = term.split("#")
        return is_weekday(weekday, day) and (day.day - 1) // 7 + 1 == int(nth)
    sunday_last = day.isoweekday()
    weekdays = numbers(term, 0, 7)
    return sunday_last in weekdays or sunday_last % 7 in weekdays


@cache
def fields(expression: str) -> list[str]:
    """Return the six fields, seconds first."""
    found = expression.upper().split()
    return found if len(found) == 6 else ["0", *found]


@cache
def numbers(text: str, lowest: int, highest: int) -> frozenset[int]:
    return frozenset(
        number
        for number in range(lowest, highest + 1)
        if any(term_has(term, number, lowest, highest) for term in text.split(","))
    )


def term_has(term: str, number: int, lowest: int, highest: int) -> bool:
    base, slash, step = term.partition("/")
    if base == "*":
        return (number - lowest) % int(step or 1) == 0
    first, dash, last = (NAMES.get(part, part) for part in base.partition("-"))
    low = int(first)
    high = int(last) if dash else highest if slash else low
    if low > high:  # a range that wraps; of the weekdays, 7 is 0 again
        cycle = 7 if highest == 7 else highest - lowest + 1
        after_low = (number - low) % cycle
        return after_low <= (high - low) % cycle and after_low % int(step or 1) == 0
    return low <= number <= high and (number - low) % int(step or 1) == 0
