"""The dates that a cron expression matches: Debian's day rule, `L` and `#`."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.triggers.cron_oracle import matches_date
from tests.triggers.schedule_builders import cron, utc
from triggers.schedules import occurrences, validate_cron

DAYS = ["*", "*/2", "*/10,5", "1", "13", "29-31", "1-7", "1-31", "L", "L,15", "30"]
WEEKDAYS = [
    *("*", "*/2", "0", "7", "5-7", "mon-fri", "6,7", "0-7", "1-5/2"),
    *("1#1", "5#5,3", "1#2,3#4", "L5", "L7,2#1"),
]
MONTHS = ["*", "1-6", "*/3", "feb", "2,10", "4,6"]


@pytest.mark.parametrize(
    ("expression", "dates"),
    [
        ("0 0 13 * 5", ["03-13", "03-20", "03-27", "04-03"]),
        ("0 0 */2 * 5", ["03-13", "03-27", "04-03", "04-17"]),
        ("0 0 13 * */6", ["06-13", "09-13", "12-13", "02-13"]),
        ("0 0 1-31 * 5", ["03-11", "03-12", "03-13", "03-14"]),
        ("0 0 L * *", ["03-31", "04-30", "05-31", "06-30"]),
        ("0 0 L,15 * *", ["03-15", "03-31", "04-15", "04-30"]),
        ("0 0 L * 1", ["03-16", "03-23", "03-30", "03-31"]),
        ("0 0 * * 1#1", ["04-06", "05-04", "06-01", "07-06"]),
        ("0 0 * * MON#1,4", ["03-12", "03-19", "03-26", "04-02"]),
        ("0 0 15 * 1#1", ["03-15", "04-06", "04-15", "05-04"]),
        ("0 0 * * L5", ["03-27", "04-24", "05-29", "06-26"]),
        ("0 0 30 2 1", ["02-01", "02-08", "02-15", "02-22"]),
    ],
)
def test_day_of_month_and_day_of_week_combine_as_in_debian(
    expression: str, dates: list[str]
) -> None:
    due = occurrences(cron(expression), utc("2026-03-10 12:00"), limit=4)  # R408

    assert [f"{at:%m-%d}" for at in due] == dates


@pytest.mark.parametrize(
    ("expression", "after", "due"),
    [
        ("0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00"),
        ("0 0 29 2 *", "2096-03-01 00:00", "2104-02-29 00:00"),
        ("0 0 29 2 */7", "2088-03-01 00:00", "2128-02-29 00:00"),
        ("0 0 * 2 1#5", "2072-03-01 00:00", "2112-02-29 00:00"),
    ],
)
def test_a_rare_date_is_found_decades_ahead(
    expression: str, after: str, due: str
) -> None:
    assert cron(expression).next_after(utc(after)) == utc(due)


def test_after_the_last_year_there_is_no_further_run() -> None:
    schedule = cron("0 0 1 1 *")

    assert schedule.next_after(utc("9998-06-01 00:00")) == utc("9999-01-01 00:00")
    assert schedule.next_after(utc("9999-06-01 00:00")) is None


@settings(deadline=None)
@given(
    day=st.sampled_from(DAYS),
    month=st.sampled_from(MONTHS),
    weekday=st.sampled_from(WEEKDAYS),
    year=st.integers(1990, 2100),
)
def test_the_dates_of_a_year_are_those_of_the_oracle(
    day: str, month: str, weekday: str, year: int
) -> None:
    expression = f"0 12 {day} {month} {weekday}"
    assume(validate_cron(expression)[0])

    start, end = utc(f"{year}-01-01 00:00"), utc(f"{year + 1}-01-01 00:00")

    due = occurrences(cron(expression), start, end, limit=400)

    assert [at.date() for at in due] == dates_by_oracle(expression, year)


def dates_by_oracle(expression: str, year: int) -> list[date]:
    days = (date(year, 1, 1) + timedelta(days=n) for n in range(366))
    return [d for d in days if d.year == year and matches_date(expression, d)]
