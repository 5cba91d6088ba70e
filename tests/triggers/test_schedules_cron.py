"""The dates that a cron expression matches: Debian's day rule, `L` and `#`."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.triggers.cron_oracle import matches_date
from tests.triggers.schedule_builders import build, cron, utc
from triggers.schedules import InvalidSchedule, occurrences, validate_cron

FIELDS = (
    "expected 5 fields (minute, hour, day of month, month, day of week),"
    " or 6 with seconds first"
)
NO_DATE = "no calendar has such a date; 'L' is the last day of a month"

REFUSED = {
    "": f"it is empty; {FIELDS}",
    "* * * *": f"it has 4 fields; {FIELDS}",
    "* * * * * *  *": "a year field ('*') is not supported; write '* * * * * *'",
    "* * * * * * * *": f"it has 8 fields; {FIELDS}",
    "0 0 * * 1;": "unexpected character ';'",
    "0 0 * * mön": "unexpected character '\\xf6'",
    "60 * * * *": "minute 60 is out of range (0 to 59)",
    "* 25 * * *": "hour 25 is out of range (0 to 23)",
    "* * 0 * *": "day of month 0 is out of range (1 to 31)",
    "* * * 13 *": "month 13 is out of range (1 to 12)",
    "* * * * 8": "day of week 8 is out of range (0 to 7)",
    "60 * * * * *": "second 60 is out of range (0 to 59)",
    "-1 * * * *": "'-1' is not a valid minute (0 to 59)",
    "1-2-3 * * * *": "'1-2-3' is not a valid minute (0 to 59)",
    "1.5 * * * *": "unexpected character '.'",
    "1,,2 * * * *": "the minute has an empty item",
    "mon 9 * * *": "'MON' is a day of week, but stands in the minute field",
    "*/0 * * * *": "the step in '*/0' (minute) must be a whole number above 0",
    "*/ * * * *": "the step in '*/' (minute) must be a whole number above 0",
    "*/2/3 * * * *": "the step in '*/2/3' (minute) must be a whole number above 0",
    "0 0 15W * *": "'15W': 'W' (nearest weekday) is not supported; leave 'W' out for"
    " day 15 itself, or include the days around it and add a condition on weekday and"
    " date",
    "0 0 LW * *": "'LW': 'W' (a weekday only) is not supported; 'L' alone is the last"
    " day of the month, and 'L5' as day of week its last Friday",
    "0 0 L-3 * *": "'L-3': days counted from the last one are not supported; 'L' alone"
    " is the last day, and one trigger for the months of each length can name the day"
    " as a number",
    "0 0 * * L": "'L' needs a day: 'L5' is the last Friday of the month; Quartz's 'L'"
    " is '6', each Saturday",
    "0 0 * * L5L": "'L5L' is not a valid day of week (0 to 7, or SUN to SAT)",
    "0 0 * * 1#6": "'1#6': the number after '#' must be 1 to 5, the week of the month",
    "0 0 30 2 *": NO_DATE,
    "30 2 31 2 *": NO_DATE,
    "0 0 31 2,4,6,9,11 *": NO_DATE,
    "0 0 30 2 */2": NO_DATE,
}


@pytest.mark.parametrize(("expression", "problem"), REFUSED.items())
def test_unsupported_syntax_is_rejected_by_name(expression: str, problem: str) -> None:
    message = f"Invalid cron expression '{expression}': {problem}"  # R152, R154

    with pytest.raises(InvalidSchedule) as caught:
        cron(expression)

    assert caught.value.detail == message
    assert [fault.pointer for fault in caught.value.faults] == ["/cron_expression"]
    assert validate_cron(expression) == (False, message)


def test_an_overlong_expression_is_rejected_and_quoted_in_part() -> None:
    valid, message = validate_cron("0," * 200 + "0 * * * *")

    assert not valid
    assert message == (
        f"Invalid cron expression '{'0,' * 127}0': it is longer than 255 characters"
    )


def test_an_error_message_has_no_control_characters() -> None:
    valid, message = validate_cron("0 0 * *\n\ud800")

    assert not valid
    assert message == (
        "Invalid cron expression '0 0 * *\N{REPLACEMENT CHARACTER}"
        "\N{REPLACEMENT CHARACTER}': unexpected character '\\n'"
    )


@pytest.mark.parametrize(
    ("expression", "same_as"),
    [
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * SUN", "0 0 * * 0"),
        ("0 0 * jan-Mar mOn-fri", "0 0 * 1-3 1-5"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 * * 5-5", "0 0 * * 5"),
        ("0 0 * * 7#2", "0 0 * * 0#2"),
        ("0 0 * * 5L", "0 0 * * L5"),
        ("0 0 * * sunL", "0 0 * * L7"),
        ("50/5 * * * *", "50,55 * * * *"),
        ("0 0 * * 1/2", "0 0 * * 0,1,3,5"),
        ("0 0 * * mon-sun", "0 0 * * *"),
        ("0 0 * * sat-sun", "0 0 * * 0,6"),
        ("0 0 * * fri-mon", "0 0 * * 0,1,5,6"),
        ("0 0 * * 6-2/2", "0 0 * * 6,1"),
        ("0 0 * * 7-2", "0 0 * * 0-2"),
        ("0 22-2 * * *", "0 22,23,0,1,2 * * *"),
        ("0 22-4/3 * * *", "0 22,1,4 * * *"),
        ("50-10/10 * * * *", "0,10,50 * * * *"),
        ("0 0 1 nov-mar *", "0 0 1 1,2,3,11,12 *"),
        ("0 0 29-2 * *", "0 0 1,2,29,30,31 * *"),
        ("  0\t0  1 * * ", "0 0 1 * *"),
        ("0 30 9 * * *", "30 9 * * *"),
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@Annually", "0 0 1 1 *"),
    ],
)
def test_equivalent_expressions_come_due_together(
    expression: str, same_as: str
) -> None:
    after = utc("2026-01-31 09:10")

    due = occurrences(cron(expression), after, limit=20)

    assert due == occurrences(cron(same_as), after, limit=20)
    assert validate_cron(expression) == (True, "Valid cron expression")


def test_the_first_of_six_fields_is_the_second() -> None:
    due = occurrences(cron("*/20 59 23 * * *"), utc("2026-05-01 23:59:20"), limit=3)

    assert due == [
        utc("2026-05-01 23:59:40"),
        utc("2026-05-02 23:59:00"),
        utc("2026-05-02 23:59:20"),
    ]


def test_the_config_can_hold_the_expression() -> None:
    schedule = build("cron", {"cron": "30 9 * * *"})  # R382

    assert schedule.next_after(utc("2026-05-01 00:00")) == utc("2026-05-01 09:30")


def test_a_cron_schedule_needs_an_expression() -> None:  # D27
    with pytest.raises(InvalidSchedule) as caught:
        build("cron")

    assert [fault.pointer for fault in caught.value.faults] == ["/cron_expression"]


@given(st.text(st.sampled_from("0123459*/,-#LW@?junMON \t\nß"), max_size=40))
def test_any_text_is_valid_or_explained(expression: str) -> None:
    valid, message = validate_cron(expression)

    assert message.isprintable()
    assert valid or message.startswith("Invalid cron expression '")


@given(st.text(max_size=300))
def test_any_unicode_text_is_explained(expression: str) -> None:
    valid, message = validate_cron(expression)

    assert not valid or message == "Valid cron expression"
    assert message.encode()


DAYS = [
    "*",
    "*/2",
    "28-3",
    "*/10,5",
    "1",
    "13",
    "29-31",
    "1-7",
    "1-31",
    "L",
    "L,15",
    "30",
]
WEEKDAYS = [
    *("*", "*/2", "0", "7", "5-7", "mon-fri", "6,7", "0-7", "1-5/2"),
    *("1#1", "5#5,3", "1#2,3#4", "L5", "L7,2#1", "fri-mon", "6-2/2"),
]
MONTHS = ["*", "nov-feb", "1-6", "*/3", "feb", "2,10", "4,6"]


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
