from __future__ import annotations

from functools import lru_cache
from string import ascii_letters, digits

from triggers.schedules.cron_days import pair_days
from triggers.schedules.cron_fields import (
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    CronSyntaxError,
    is_star,
    write_numbers,
)
from triggers.schedules.cron_rule import CronRule, has_match

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
    searches = tuple(
        " ".join(
            [
                write_numbers(SECOND, second),
                write_numbers(MINUTE, minute),
                write_numbers(HOUR, hour),
                day_numbers,
                write_numbers(MONTH, month),
                weekday_numbers,
            ]
        )
        for day_numbers, weekday_numbers in pair_days(day, weekday)
    )
    return CronRule(
        expression=expression,
        searches=_possible(searches),
        follows_elapsed_time=is_star(minute) or is_star(hour),
    )


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


def _possible(searches: tuple[str, ...]) -> tuple[str, ...]:
    possible = tuple(search for search in searches if has_match(search))
    if not possible:
        raise CronSyntaxError("no calendar has such a date")
    return possible
