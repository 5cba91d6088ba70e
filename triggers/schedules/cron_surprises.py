"""What a valid cron expression does that its text does not make obvious."""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence

from triggers.schedules.cron_fields import (
    DAY,
    FIELDS,
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    WEEKDAY,
    CronField,
    is_star,
    parse_term,
)

MOST_LISTED = 8
# The words for a field's values, and for the cycle in which they start again.
CYCLES = {
    SECOND.name: ("seconds", "minute"),
    MINUTE.name: ("minutes", "hour"),
    HOUR.name: ("hours", "day"),
    DAY.name: ("days", "month"),
    MONTH.name: ("months", "year"),
    WEEKDAY.name: ("days", "week"),
}


def find_surprises(fields: Sequence[str]) -> Iterator[str]:
    """Yield notes on six valid fields (upper-case, seconds first).

    A step that does not divide its cycle starts again with each cycle, and two day
    fields are alternatives.
    """
    for cron_field, text in zip(FIELDS, fields, strict=True):
        for term in text.split(","):
            base, _, step = term.partition("/")
            if "-" in base or int(step or 1) == 1 or cron_field.cycle % int(step) == 0:
                continue
            values, cycle = CYCLES[cron_field.name]
            listed = _list(cron_field, parse_term(cron_field, term))
            yield f"{listed} of each {cycle}, not every {int(step)} {values}"
    day, weekday = fields[3], fields[5]
    if not is_star(day) and not is_star(weekday):
        yield "on the day of month and also on the day of week: either is enough"


def _list(cron_field: CronField, numbers: list[int]) -> str:
    if cron_field is WEEKDAY:
        numbers = sorted({number % 7 for number in numbers})
        words = [calendar.day_name[(number - 1) % 7] for number in numbers]
        prefix = ""
    else:
        words = [str(number) for number in numbers]
        values, _ = CYCLES[cron_field.name]
        prefix = f"{values if len(words) > 1 else cron_field.name} "
    if len(words) > MOST_LISTED:
        words = [*words[:3], "…", words[-1]]
        return prefix + ", ".join(words)
    *first, last = words
    return prefix + (f"{', '.join(first)} and {last}" if first else last)
