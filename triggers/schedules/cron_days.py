"""The two day fields of a cron expression, with `L` and `#`, and Debian's day rule."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.schedules.cron_fields import (
    DAY,
    WEEKDAY,
    CronSyntaxError,
    is_star,
    parse_term,
    parse_value,
    write_numbers,
)

DayPair = tuple[str, str]


def pair_days(day: str, weekday: str) -> list[DayPair]:
    """Return (day of month, day of week) pairs; a date is due if it fits one of them.

    Within a pair both must fit. Where both fields are set, a date may fit either;
    where one starts with `*`, it must fit both.
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


def _parse_day(term: str) -> range:
    if "W" in term:
        raise CronSyntaxError(f"'{term}': 'W' (nearest weekday) is not supported")
    if "L" in term:
        raise CronSyntaxError(
            f"'{term}': 'L' (last day) takes no number, range or step"
        )
    return parse_term(DAY, term)


def _write_weekdays(text: str) -> Iterator[str]:
    """Yield the plain weekdays, then those counted within the month."""
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
            f"'{term}': after '#' comes 1 to 5, the week of the month"
        )
    return f"{number}#{nth}"


def _write_last(term: str) -> str:
    """Read `L5`, or `5L` as some other crons write it."""
    weekday = term[1:] if term.startswith("L") else term.removesuffix("L")
    if not weekday:
        raise CronSyntaxError(
            f"'{term}' is not supported; write 'L5' for the last Friday of the month"
        )
    number = parse_value(WEEKDAY, weekday, term) % 7
    return f"L{number}"
