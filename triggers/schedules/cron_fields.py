"""The fields of a cron expression: their syntax, written out as plain numbers.

Cron libraries accept more than Debian's cron does, or read it differently (`5-5`, `W`,
random values). So each field is validated here and written out in numbers before
croniter reads it. The two day fields also take `L` and `#`, and ranges can wrap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


class CronSyntaxError(ValueError):
    """The cron expression is not valid."""


def _numbered(names: str, *, start: int) -> dict[str, int]:
    return {name: number for number, name in enumerate(names.split(), start)}


@dataclass(frozen=True, slots=True, kw_only=True)
class CronField:
    """One field: its bounds, and its names for numbers (upper-case).

    After `cycle` numbers it starts again; of the weekdays, 7 is 0 again.
    """

    name: str
    low: int
    high: int
    cycle: int
    names: Mapping[str, int] = field(default_factory=dict)


SECOND = CronField(name="second", low=0, high=59, cycle=60)
MINUTE = CronField(name="minute", low=0, high=59, cycle=60)
HOUR = CronField(name="hour", low=0, high=23, cycle=24)
DAY = CronField(name="day of month", low=1, high=31, cycle=31)
MONTH = CronField(
    name="month",
    low=1,
    high=12,
    cycle=12,
    names=_numbered("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", start=1),
)
# 0 and 7 both mean Sunday, so that a range such as 5-7 can end with it.
WEEKDAY = CronField(
    name="day of week",
    low=0,
    high=7,
    cycle=7,
    names=_numbered("SUN MON TUE WED THU FRI SAT", start=0),
)

FIELDS = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)


def is_star(text: str) -> bool:
    """Return whether a field counts as not set; so does `*/2`, as in Debian's cron."""
    return text.startswith("*")


def parse_numbers(cron_field: CronField, text: str) -> set[int]:
    numbers: set[int] = set()
    for term in text.split(","):
        numbers.update(parse_term(cron_field, term))
    return numbers


def write_numbers(cron_field: CronField, numbers: set[int]) -> str:
    """Return the numbers as a list, or `*` if they are all numbers of the field."""
    if len(numbers) > cron_field.high - cron_field.low:
        return "*"
    return ",".join(str(number) for number in sorted(numbers))


def parse_term(cron_field: CronField, term: str) -> list[int]:
    """Return the numbers of one term: `*`, `5`, `1-5`, each with or without a step.

    A range can wrap: the hours `22-2/2` are 22, 0 and 2.
    """
    base, slash, step_text = term.partition("/")
    step = _parse_step(cron_field, term, step_text) if slash else 1
    if base == "*":
        return list(range(cron_field.low, cron_field.high + 1, step))
    low_text, dash, high_text = base.partition("-")
    low = parse_value(cron_field, low_text, term)
    if dash:
        high = parse_value(cron_field, high_text, term)
    else:
        high = cron_field.high if slash else low
    if low <= high:
        return list(range(low, high + 1, step))
    first, cycle = cron_field.low, cron_field.cycle
    return [first + (n - first) % cycle for n in range(low, high + cycle + 1, step)]


def is_step_too_wide(cron_field: CronField, term: str) -> bool:
    """Return whether a valid term has a step beyond its range, such as `*/90`."""
    base, slash, step = term.partition("/")
    if not slash:
        return False
    if "-" in base:
        return int(step) > len(parse_term(cron_field, base))
    return int(step) > cron_field.cycle


def parse_value(cron_field: CronField, text: str, term: str) -> int:
    """Return a number or name as a number; an error message quotes the term."""
    if text in cron_field.names:
        return cron_field.names[text]
    if not text.isdecimal():
        raise CronSyntaxError(_explain_value(cron_field, text, term))
    value = int(text)
    if not cron_field.low <= value <= cron_field.high:
        bounds = f"{cron_field.low} to {cron_field.high}"
        raise CronSyntaxError(f"{cron_field.name} {value} is out of range ({bounds})")
    return value


def _explain_value(cron_field: CronField, text: str, term: str) -> str:
    if not term:
        return f"the {cron_field.name} has an empty item"
    other = next((f for f in (MONTH, WEEKDAY) if text in f.names), None)
    if other is not None:
        return f"'{term}' is a {other.name}, but stands in the {cron_field.name} field"
    allowed = f"{cron_field.low} to {cron_field.high}"
    if cron_field.names:
        first, *_, last = cron_field.names
        allowed += f", or {first} to {last}"
    return f"'{term}' is not a valid {cron_field.name} ({allowed})"


def _parse_step(cron_field: CronField, term: str, text: str) -> int:
    step = int(text) if text.isdecimal() else 0
    if step == 0:
        raise CronSyntaxError(
            f"the step in '{term}' ({cron_field.name}) must be a whole number above 0"
        )
    return step


def pair_days(day: str, weekday: str) -> list[tuple[str, str]]:
    """Return (day of month, day of week) pairs; a date is due if it matches one pair.

    A date matches a pair if it matches both of its fields. As in Debian's cron, a date
    matches either field if both are set, and must match both if one starts with `*`.
    """
    days = _write_days(day)
    weekdays = list(_write_weekdays(weekday))
    if is_star(day) or is_star(weekday):
        return [(days, alternative) for alternative in weekdays]
    return [(days, "*"), *(("*", alternative) for alternative in weekdays)]


def _write_days(text: str) -> str:
    terms = text.split(",")
    numbers: set[int] = set()
    for term in terms:
        if term != "L":
            numbers.update(_parse_day(term))
    if "L" not in terms:
        return write_numbers(DAY, numbers)
    return ",".join([*(str(number) for number in sorted(numbers)), "L"])


def _parse_day(term: str) -> list[int]:
    if term.removesuffix("W").isdecimal() and term.endswith("W"):
        day = term.removesuffix("W")
        raise CronSyntaxError(
            f"'{term}': 'W' (nearest weekday) is not supported; leave 'W' out for day"
            f" {day} itself, or include the days around it and add a condition on"
            " weekday and date"
        )
    if "W" in term:
        raise CronSyntaxError(
            f"'{term}': 'W' (a weekday only) is not supported; 'L' alone is the last"
            " day of the month, and 'L5' as day of week its last Friday"
        )
    if "L" in term:
        raise CronSyntaxError(
            f"'{term}': days counted from the last one are not supported; 'L' alone is"
            " the last day, and one trigger for the months of each length can name the"
            " day as a number"
        )
    return parse_term(DAY, term)


def _write_weekdays(text: str) -> Iterator[str]:
    """Yield the plain weekdays, then those with `#` or `L`."""
    numbers: set[int] = set()
    counted: list[str] = []
    for term in text.split(","):
        if "#" in term:
            counted.append(_write_nth(term))
        elif "L" in term:
            counted.append(_write_last(term))
        else:
            numbers.update(n % 7 for n in parse_term(WEEKDAY, term))
    if numbers:
        yield write_numbers(WEEKDAY, numbers)
    if counted:
        yield ",".join(counted)


def _write_nth(term: str) -> str:
    weekday, _, nth = term.partition("#")
    number = parse_value(WEEKDAY, weekday, term) % 7
    if nth not in {"1", "2", "3", "4", "5"}:
        raise CronSyntaxError(
            f"'{term}': the number after '#' must be 1 to 5, the week of the month"
        )
    return f"{number}#{nth}"


def _write_last(term: str) -> str:
    """Parse `L5`, or `5L` as some other crons write it."""
    weekday = term[1:] if term.startswith("L") else term.removesuffix("L")
    if not weekday:
        raise CronSyntaxError(
            f"'{term}' needs a day: 'L5' is the last Friday of the month; Quartz's 'L'"
            " is '6', each Saturday"
        )
    number = parse_value(WEEKDAY, weekday, term) % 7
    return f"L{number}"
