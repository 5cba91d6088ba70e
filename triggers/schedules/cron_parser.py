from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from string import ascii_letters, digits

from triggers.schedules.cron_days import pair_days
from triggers.schedules.cron_fields import (
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    CronField,
    CronSyntaxError,
    is_star,
    parse_numbers,
    write_numbers,
)
from triggers.schedules.cron_rule import CronRule, has_match
from triggers.schedules.cron_times import CronTimes

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
