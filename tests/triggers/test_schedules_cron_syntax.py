from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.triggers.schedule_builders import build, cron, utc
from triggers.schedules import InvalidSchedule, occurrences, validate_cron

FIELDS = (
    "expected 5 fields (minute, hour, day of month, month, day of week),"
    " or 6 with seconds first"
)
SHORTCUTS = "@hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"

REFUSED = {
    "": f"it is empty; {FIELDS}",
    "* * * *": f"it has 4 fields; {FIELDS}",
    "* * * * * *  *": f"a year field is not supported; {FIELDS}",
    "* * * * * * * *": f"it has 8 fields; {FIELDS}",
    "@reboot": f"'@reboot' is not supported; known are {SHORTCUTS}",
    "0 0 ? * 1": "'?' is not supported; write '*'",
    "0 0 * * 1;": "unexpected character ';'",
    "0 0 * * mön": "unexpected character '\\xf6'",
    "60 * * * *": "minute 60 is out of range (0 to 59)",
    "* 24 * * *": "hour 24 is out of range (0 to 23)",
    "* * 0 * *": "day of month 0 is out of range (1 to 31)",
    "* * * 13 *": "month 13 is out of range (1 to 12)",
    "* * * * 8": "day of week 8 is out of range (0 to 7)",
    "60 * * * * *": "second 60 is out of range (0 to 59)",
    "-1 * * * *": "'-1' is not a valid minute",
    "1-2-3 * * * *": "'1-2-3' is not a valid minute",
    "1.5 * * * *": "unexpected character '.'",
    "H * * * *": "'H' is not a valid minute",
    "r(1-5) * * * *": "unexpected character '('",
    "1,,2 * * * *": "'' is not a valid minute",
    "*5 * * * *": "'*5' is not a valid minute",
    "0 0 * monday *": "'MONDAY' is not a valid month",
    "*/0 * * * *": "the step in '*/0' (minute) must be a whole number above 0",
    "*/ * * * *": "the step in '*/' (minute) must be a whole number above 0",
    "*/2/3 * * * *": "the step in '*/2/3' (minute) must be a whole number above 0",
    "0 22-2 * * *": "the hour range '22-2' runs backwards; write '22-23,0-2'",
    "0 0 * * sat-sun": "the day of week range 'SAT-SUN' runs backwards; write '6-7,0'",
    "0 0 15W * *": "'15W': 'W' (nearest weekday) is not supported",
    "0 0 LW * *": "'LW': 'W' (nearest weekday) is not supported",
    "0 0 L-3 * *": "'L-3': 'L' (last day) takes no number, range or step",
    "0 0 * * L": "'L' is not supported; write 'L5' for the last Friday of the month",
    "0 0 * * 1-5L": "'1-5L' is not a valid day of week",
    "0 0 * * L5L": "'L5L' is not a valid day of week",
    "0 0 * * 1#6": "'1#6': the number after '#' must be 1 to 5, the week of the month",
    "0 0 * * 1-5#1": "'1-5#1' is not a valid day of week",
    "0 0 30 2 *": "no calendar has such a date",
    "0 0 31 2,4,6,9,11 *": "no calendar has such a date",
    "0 0 30 2 */2": "no calendar has such a date",
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


def test_the_default_expression_is_hourly() -> None:
    assert build("cron") == cron("0 * * * *")  # R382


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
