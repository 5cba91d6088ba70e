"""Reads the cron texts of other systems: AWS's and Quartz's order of fields.

Both mark a day field that is not set with `?`, and count weekdays from 1 = Sunday. Six
fields with `?` in the third or fifth place are AWS's (the year is the last one), in the
fourth or sixth place Quartz's (seconds first). The text is written in our own order and
with our own weekdays (0 = Sunday), and stored so.
Sources: docs.aws.amazon.com/eventbridge (Schedule types), quartz-scheduler.org
(CronTrigger Tutorial).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from triggers.schedules.cron_fields import (
    DAY,
    FIELDS,
    HOUR,
    MINUTE,
    SECOND,
    WEEKDAY,
    CronField,
    CronSyntaxError,
    is_step_too_wide,
    parse_numbers,
    parse_term,
)
from triggers.schedules.cron_rule import (
    FIELDS_EXPECTED,
    check_characters,
    check_length,
    expand_shortcut,
    parse_cron,
)
from triggers.schedules.interval import LONGEST_SECONDS
from triggers.schedules.zones import load_zone, zone_names

# Both end their years within the next 200; a range up to there has no end in practice.
YEAR = CronField(name="year", low=1970, high=2199, cycle=230)
LAST_YEAR = 2099
MARK = "?"
WRAPPED = re.compile(r"cron\s*\((.*)\)", re.IGNORECASE)
# The unit of a field that an interval can count, and its seconds.
UNITS = {
    SECOND.name: ("seconds", 1),
    MINUTE.name: ("minutes", 60),
    HOUR.name: ("hours", 3600),
    DAY.name: ("days", 24 * 3600),
}


class Dialect(StrEnum):
    """The system whose rules an expression was read by, if they are not cron's."""

    AWS = "aws"
    QUARTZ = "quartz"


@dataclass(frozen=True, slots=True, kw_only=True)
class CronText:
    """The text of a cron expression in our own order of fields.

    `last_year` is the last year in which it comes due, if its year field has an end.
    """

    expression: str
    read_as: Dialect | None = None
    last_year: int | None = None


def read_strictly(text: str) -> CronText:
    """Read a new cron expression; raise CronSyntaxError if it is not valid.

    Unlike `parse_cron`, rejects a step beyond its range.
    """
    check_length(text)
    wrapped = WRAPPED.fullmatch(text.strip())
    inner = wrapped[1] if wrapped else text
    check_characters(inner.replace(MARK, "*"))
    if MARK in inner:
        read = _read_marked(inner.split())
    elif wrapped and len(inner.split()) == 6:
        raise CronSyntaxError(_explain_unmarked(inner.split()))
    else:
        read = CronText(expression=inner.strip() if wrapped else text)
    parse_cron(read.expression)
    _check_steps(read.expression)
    return read


def end_of_year(year: int | None, timezone: str) -> datetime | None:
    """Return the last second of a year in a time zone, in UTC."""
    if year is None or timezone not in zone_names():
        return None
    last = datetime(year, 12, 31, 23, 59, 59, tzinfo=load_zone(timezone))
    return last.astimezone(UTC)


def _read_marked(fields: Sequence[str]) -> CronText:
    places = {place for place, text in enumerate(fields) if MARK in text}
    if any(fields[place] != MARK for place in places):
        raise CronSyntaxError("'?' must stand alone in its field")
    if len(fields) == 5:
        if not places <= {2, 4}:
            written = " ".join(_unmark(text) for text in fields)
            raise CronSyntaxError(
                f"'?' is for the two day fields only; write '{written}'"
            )
        return CronText(expression=" ".join(_unmark(text) for text in fields))
    if len(fields) == 6 and places <= {2, 4}:
        read = _read_aws(fields)
    elif len(fields) == 6 and places <= {3, 5}:
        read = _read_quartz(fields)
    elif len(fields) == 7 and places <= {3, 5}:
        read = _read_quartz(fields[:6])
        raise CronSyntaxError(
            "a year field is not supported; leave it out"
            f"{_bound_for(fields[6])}: write '{read.expression}'"
        )
    else:
        raise CronSyntaxError(
            f"'?' is for one of the two day fields; {FIELDS_EXPECTED}"
        )
    if len(places) == 2:
        raise CronSyntaxError(
            f"only one day field can be '?'; write '{read.expression}'"
        )
    return read


def _read_aws(fields: Sequence[str]) -> CronText:
    *times, day, month, weekday, year = fields
    parts = (*times, _unmark(day), month, _convert_weekdays(_unmark(weekday)))
    expression = " ".join(parts)
    return CronText(
        expression=expression,
        read_as=Dialect.AWS,
        last_year=_read_last_year(year, expression),
    )


def _read_quartz(fields: Sequence[str]) -> CronText:
    *others, weekday = map(_unmark, fields)
    expression = " ".join((*others, _convert_weekdays(weekday)))
    return CronText(expression=expression, read_as=Dialect.QUARTZ)


def _unmark(text: str) -> str:
    return "*" if text == MARK else text


def _convert_weekdays(text: str) -> str:
    return ",".join(_convert_weekday(term) for term in text.split(","))


def _convert_weekday(term: str) -> str:
    """Write a term that counts from 1 = Sunday as one that counts from 0."""
    if term.upper() == "L":  # the last day of their week
        return "6"
    if "#" in term:
        weekday, _, nth = term.partition("#")
        return f"{_convert_day(weekday)}#{nth}"
    if term.upper().endswith("L"):
        return f"L{_convert_day(term[:-1])}"
    base, slash, step = term.partition("/")
    if base == "*":
        return term
    low, dash, high = base.partition("-")
    if dash:
        return f"{_convert_day(low)}-{_convert_day(high)}{slash}{step}"
    if not slash:
        return _convert_day(low)
    # Without an end, their week ends on Saturday, ours on Sunday (7).
    text = f"{_convert_day(low)}-6/{step}"
    if step.isdecimal() and int(step) <= WEEKDAY.cycle:
        numbers = parse_term(WEEKDAY, text.upper())
        return text if len(numbers) > 1 else str(numbers[0])
    return text


def _convert_day(text: str) -> str:
    if not text.isdecimal():
        return text
    if not 1 <= int(text) <= 7:
        raise CronSyntaxError(
            f"day of week {int(text)} is out of range (1 to 7, 1 is Sunday)"
        )
    return str(int(text) - 1)


def _read_last_year(text: str, expression: str) -> int | None:
    """Return the last of the years from now on; None if they have no end."""
    if text == "*":
        return None
    years, this_year = parse_numbers(YEAR, text), datetime.now(UTC).year
    last = this_year
    while last + 1 in years:
        last += 1
    if this_year not in years or max(years) > last:
        raise CronSyntaxError(
            f"the year field '{text}' must be '*' or years that follow each other and"
            f" include {this_year}; set start_at and end_at instead, and write"
            f" '{expression}'"
        )
    return last if last < LAST_YEAR else None


def _bound_for(year: str) -> str:
    return "" if year == "*" else " and set start_at and end_at instead"


def _explain_unmarked(fields: Sequence[str]) -> str:
    """Explain six fields in `cron(…)`: AWS's order, but without the `?` it requires."""
    reason = "in 'cron( )' the year is the last of six fields, and a day field is '?'"
    day, weekday = fields[2], fields[4]
    if day != "*" and weekday != "*":
        return f"{reason}; mark the one that is not set"
    read = _read_aws(fields)
    return f"{reason}; write '{read.expression}'{_bound_for(fields[5])}"


def _check_steps(expression: str) -> None:
    fields = expand_shortcut(" ".join(expression.split())).split()
    offset = len(FIELDS) - len(fields)
    for place, text in enumerate(fields):
        cron_field = FIELDS[place + offset]
        for term in text.upper().split(","):
            is_plain = not {"L", "#"} & set(term)
            if is_plain and is_step_too_wide(cron_field, term):
                raise CronSyntaxError(_explain_step(fields, place, cron_field, term))


def _explain_step(
    fields: Sequence[str], place: int, cron_field: CronField, term: str
) -> str:
    base, _, step = term.partition("/")
    first = parse_term(cron_field, term)[0]
    terms = [str(first) if t.upper() == term else t for t in fields[place].split(",")]
    written = " ".join((*fields[:place], ",".join(terms), *fields[place + 1 :]))
    message = (
        f"the step in '{term}' ({cron_field.name}) is beyond its range, so only"
        f" {cron_field.name} {first} would match"
    )
    rule, other = parse_cron(" ".join(fields)), parse_cron(written)
    if (rule.times, rule.dates) == (other.times, other.dates):
        message += f"; if that is meant, write '{written}'"
    finer, coarser = fields[:place], fields[place + 1 :]
    is_interval = all(t.isdecimal() for t in finer) and set(coarser) <= {"*"}
    unit, unit_seconds = UNITS.get(cron_field.name, ("", 0))
    seconds = unit_seconds * int(step)
    if base == "*" and is_interval and 0 < seconds <= LONGEST_SECONDS:
        message += (
            f"; for every {int(step)} {unit} use schedule_type 'interval' with"
            f" interval_seconds {seconds}"
        )
    return message
