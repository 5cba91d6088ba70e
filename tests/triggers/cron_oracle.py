"""A second opinion on cron: no arithmetic, only a walk through every minute.

Each UTC minute of a window is looked at with the wall time it shows. What is due
follows from which wall times show there, which show twice, and which never do.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
MARGIN = timedelta(hours=26)
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
    """One real minute: what the clock shows, and what it left out just before."""

    at: datetime
    wall: datetime
    left_out: tuple[datetime, ...]


def due_minutes(
    expression: str,
    timezone: str,
    after: datetime,
    until: datetime,
    *,
    dst_gap: str = "after",
    dst_overlap: str = "first",
) -> list[datetime]:
    """Return every due instant later than `after`, up to `until`."""
    if follows_elapsed_time(expression):
        dst_gap, dst_overlap = "skip", "both"
    minutes, showings = walk(timezone, after - MARGIN, until + MARGIN)
    return [
        minute.at
        for minute in minutes
        if after < minute.at <= until
        and (
            is_due_by_wall(expression, minute, showings[minute.wall], dst_overlap)
            or (dst_gap == "after" and makes_up(expression, minute))
        )
    ]


@cache
def walk(
    timezone: str, start: datetime, end: datetime
) -> tuple[list[Minute], dict[datetime, list[datetime]]]:
    """Return the minutes of a window, and when each wall time shows."""
    zone = ZoneInfo(timezone)
    minutes: list[Minute] = []
    showings: dict[datetime, list[datetime]] = {}
    at = start
    expected = at.astimezone(zone).replace(tzinfo=None)
    while at <= end:
        wall = at.astimezone(zone).replace(tzinfo=None)
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


def is_due_by_wall(
    expression: str, minute: Minute, showings: list[datetime], dst_overlap: str
) -> bool:
    if dst_overlap == "first" and minute.at != showings[0]:
        return False
    if dst_overlap == "second" and minute.at != showings[-1]:
        return False
    return matches_wall(expression, minute.wall)


def makes_up(expression: str, minute: Minute) -> bool:
    return any(matches_wall(expression, wall) for wall in minute.left_out)


def follows_elapsed_time(expression: str) -> bool:
    return any(field.startswith("*") for field in expression.split()[:2])


def matches_wall(expression: str, wall: datetime) -> bool:
    minute, hour, _, _, _ = expression.split()
    return (
        has_number(minute, wall.minute, 0)
        and has_number(hour, wall.hour, 0)
        and matches_date(expression, wall.date())
    )


@cache
def matches_date(expression: str, day: date) -> bool:
    _, _, dom, month, dow = expression.upper().split()
    if not has_number(month, day.month, 1):
        return False
    by_day = any(is_day(term, day) for term in dom.split(","))
    by_weekday = any(is_weekday(term, day) for term in dow.split(","))
    if dom.startswith("*") or dow.startswith("*"):
        return by_day and by_weekday
    return by_day or by_weekday


def is_day(term: str, day: date) -> bool:
    if term == "L":
        return (day + timedelta(days=1)).day == 1
    return has_number(term, day.day, 1)


def is_weekday(term: str, day: date) -> bool:
    sunday_first = day.isoweekday() % 7
    if term.startswith("L"):
        days = calendar.monthrange(day.year, day.month)[1]
        return is_weekday(term[1:], day) and day.day > days - 7
    if "#" in term:
        weekday, nth = term.split("#")
        return is_weekday(weekday, day) and (day.day - 1) // 7 + 1 == int(nth)
    return has_number(term, sunday_first, 0) or (
        sunday_first == 0 and not term.startswith("*") and has_number(term, 7, 0)
    )


def has_number(text: str, number: int, lowest: int) -> bool:
    return any(term_has(term, number, lowest) for term in text.split(","))


def term_has(term: str, number: int, lowest: int) -> bool:
    base, _, step = term.upper().partition("/")
    if base == "*":
        return (number - lowest) % int(step or 1) == 0
    first, dash, last = (NAMES.get(part, part) for part in base.partition("-"))
    low = int(first)
    high = int(last) if dash else low
    return low <= number <= high and (number - low) % int(step or 1) == 0
