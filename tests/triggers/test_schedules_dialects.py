"""Cron texts of AWS and Quartz: read by their rules, stored in our own order."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.triggers.schedule_builders import cron, utc
from triggers.schedules import Dialect, find_dialect, occurrences, validate_cron

NAMES = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
AFTER = utc("2027-01-01 00:00")
AT_2026 = time_machine.travel(datetime(2026, 12, 1, tzinfo=UTC), tick=False)


def stored(text: str) -> tuple[str, str | None] | None:
    found = find_dialect(text)
    return (found.expression, found.read_as) if found else None


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("0 12 * * ? *", "0 12 * * *"),
        ("cron(0 6 1 * ? *)", "0 6 1 * *"),
        ("CRON( 0 16 ? * MON-FRI * )", "0 16 * * MON-FRI"),
        ("0 16 ? * 2-6 *", "0 16 * * 1-5"),
        ("0 16 ? * 1,7 *", "0 16 * * 0,6"),
        ("0 16 ? * 6-2 *", "0 16 * * 5-1"),
        ("0 16 ? * 2/2 *", "0 16 * * 1-6/2"),
        ("0 16 ? * MON/2 *", "0 16 * * MON-6/2"),
        ("0 16 ? * 2-6/2 *", "0 16 * * 1-5/2"),
        ("0 16 ? * L *", "0 16 * * 6"),
        ("0 16 ? * 6L *", "0 16 * * L5"),
        ("0 16 ? * FRIL *", "0 16 * * LFRI"),
        ("0 16 ? * 2#1,FRI#3 *", "0 16 * * 1#1,FRI#3"),
        ("0/15 8-17 ? * MON-FRI *", "0/15 8-17 * * MON-FRI"),
        ("0 9 L * ? *", "0 9 L * *"),
        ("0 9 ? * * 2020-2199", "0 9 * * *"),
    ],
)
def test_a_mark_in_the_third_or_fifth_of_six_fields_is_aws(
    text: str, expression: str
) -> None:
    assert stored(text) == (expression, Dialect.AWS)  # D16


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("0 0 12 * * ?", "0 0 12 * * *"),
        ("0 0 12 ? * 2-6", "0 0 12 * * 1-5"),
        ("0 0 12 ? * MON-FRI", "0 0 12 * * MON-FRI"),
        ("0 15 10 ? * 6L", "0 15 10 * * L5"),
        ("0 15 10 ? * 6#3", "0 15 10 * * 5#3"),
        ("0 15 10 ? * */2", "0 15 10 * * */2"),
        ("0 15 10 L * ?", "0 15 10 L * *"),
    ],
)
def test_a_mark_in_the_fourth_or_sixth_of_six_fields_is_quartz(
    text: str, expression: str
) -> None:
    assert stored(text) == (expression, Dialect.QUARTZ)  # D16


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("30 8 15 * ?", "30 8 15 * *"),
        ("30 8 ? * 1-5", "30 8 * * 1-5"),
        ("30 8 ? * ?", "30 8 * * *"),
        ("cron(30 8 ? * 1)", "30 8 * * 1"),
        ("cron(30 8 * * 1)", "30 8 * * 1"),
        ("30  8 * * 1", "30  8 * * 1"),
        ("@daily", "@daily"),
    ],
)
def test_five_fields_are_always_our_own(text: str, expression: str) -> None:
    assert stored(text) == (expression, None)


NO_YEAR = "a year field is not supported; leave it out"
BOUNDS = "set start_at and end_at instead"
UNMARKED = "in 'cron( )' the year is the last of six fields, and a day field is '?'"
REJECTED = {
    "0 9 * ? *": "'?' is for the two day fields only; write '0 9 * * *'",
    "0 9 ?/2 * *": "'?' must stand alone in its field",
    "0 9 ? * ? *": "only one day field can be '?'; write '0 9 * * *'",
    "0 0 9 ? * ?": "only one day field can be '?'; write '0 0 9 * * *'",
    "0 0 9 ? * 2 *": f"{NO_YEAR}: write '0 0 9 * * 1'",
    "0 0 9 ? * 2 2027": f"{NO_YEAR} and {BOUNDS}: write '0 0 9 * * 1'",
    "0 9 ? * 0 *": "day of week 0 is out of range (1 to 7, 1 is Sunday)",
    "0 0 9 ? * 8": "day of week 8 is out of range (1 to 7, 1 is Sunday)",
    "0 9 ? * * 2025": "the year field '2025' must be '*' or years that follow each"
    f" other and include 2026; {BOUNDS}, and write '0 9 * * *'",
    "cron(0 9 * * 2 *)": f"{UNMARKED}; write '0 9 * * 1'",
    "cron(0 9 1 * 2 *)": f"{UNMARKED}; mark the one that is not set",
}


@pytest.mark.parametrize(("text", "problem"), REJECTED.items())
@AT_2026
def test_what_neither_would_read_is_rejected_with_the_way_out(
    text: str, problem: str
) -> None:
    assert validate_cron(text) == (
        False,
        f"Invalid cron expression '{text}': {problem}",
    )


@AT_2026
def test_the_last_year_of_a_text_ends_the_schedule() -> None:
    schedule = cron("0 9 31 12 ? 2025-2027", timezone="America/New_York")

    due = occurrences(schedule, utc("2026-12-01 00:00"), limit=5)

    assert due == [utc("2026-12-31 14:00"), utc("2027-12-31 14:00")]


def reference_days(weekdays: str, year: int) -> Iterator[date]:
    """Yield the dates of a year that AWS and Quartz document, one term at a time."""
    day = date(year, 1, 1)
    while day.year == year:
        if any(has_day(term, day) for term in weekdays.split(",")):
            yield day
        day += timedelta(days=1)


def has_day(term: str, day: date) -> bool:
    number = (day.weekday() + 1) % 7 + 1  # 1 is Sunday
    if term == "L":
        return number == 7
    if term.endswith("L"):
        last = calendar.monthrange(day.year, day.month)[1]
        return number == numbered(term[:-1]) and day.day > last - 7
    if "#" in term:
        weekday, _, nth = term.partition("#")
        return number == numbered(weekday) and (day.day - 1) // 7 + 1 == int(nth)
    base, slash, step_text = term.partition("/")
    low_text, dash, high_text = base.partition("-")
    low = 1 if base == "*" else numbered(low_text)
    open_end = 7 if slash or base == "*" else low
    high = numbered(high_text) if dash else open_end
    if high < low:
        high += 7
    step = int(step_text or 1)
    return number in {(n - 1) % 7 + 1 for n in range(low, high + 1, step)}


def numbered(text: str) -> int:
    return int(text) if text.isdecimal() else NAMES.index(text) + 1


days = st.sampled_from([*map(str, range(1, 8)), *NAMES])
terms = st.one_of(
    days,
    st.just("L"),
    days.map("{}L".format),
    st.builds("{}#{}".format, days, st.integers(1, 5)),
    st.builds("{}-{}".format, days, days),
    st.builds("{}/{}".format, days, st.integers(1, 7)),
    st.builds("*/{}".format, st.integers(1, 7)),
)


@settings(deadline=None)
@given(st.lists(terms, min_size=1, max_size=3), st.booleans())
def test_their_weekdays_come_due_on_their_days(chosen: list[str], is_aws: bool) -> None:
    weekdays = ",".join(chosen)
    text = f"0 9 ? * {weekdays} *" if is_aws else f"0 0 9 ? * {weekdays}"

    due = occurrences(cron(text), AFTER, utc("2028-01-01 00:00"), limit=400)

    assert [at.date() for at in due] == list(reference_days(weekdays, 2027))


@settings(deadline=None)
@given(st.lists(terms, min_size=1, max_size=3), st.booleans())
def test_the_stored_text_is_our_own_and_means_the_same(
    chosen: list[str], is_aws: bool
) -> None:
    weekdays = ",".join(chosen)
    text = f"0 9 ? * {weekdays} *" if is_aws else f"0 0 9 ? * {weekdays}"
    found = find_dialect(text)
    assert found is not None

    again = find_dialect(found.expression)

    assert again is not None
    assert (again.expression, again.read_as) == (found.expression, None)
    both = [occurrences(cron(t), AFTER, limit=60) for t in (text, found.expression)]
    assert both[0] == both[1]
