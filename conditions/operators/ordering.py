"""Operators that order numbers or dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from operator import ge, gt, le, lt

from common.values import is_number, read_datetime
from conditions.operators.base import (
    Test,
    UnsupportedKindError,
    check_datetime,
    check_number,
    check_range,
    operator,
)
from conditions.values import are_numbers

Compare = Callable[[int | float, int | float], bool]

ORDERINGS: dict[tuple[str, ...], Compare] = {
    ("greater_than", "gt"): gt,
    ("greater_than_or_equals", "greater_than_or_equal", "gte"): ge,
    ("less_than", "lt"): lt,
    ("less_than_or_equals", "less_than_or_equal", "lte"): le,
}


def compare_numbers(compare: Compare, expected: int | float) -> Test:
    def test(actual: object) -> bool:
        if not is_number(actual):
            raise UnsupportedKindError("a number", actual)
        return compare(actual, expected)

    return test


for names, compare in ORDERINGS.items():
    operator(*names, check=check_number, compares_numbers=is_number)(
        partial(compare_numbers, compare)
    )


@operator("between", check=check_range, compares_numbers=are_numbers)
def between(expected: list[int | float] | list[str]) -> Test:
    """Require a value between two numbers or two dates, both included."""
    low, high = expected
    if is_number(low) and is_number(high):
        return _between_numbers(low, high)
    first, last = datetime_of(low), datetime_of(high)
    return lambda actual: first <= datetime_of(actual) <= last


def _between_numbers(low: int | float, high: int | float) -> Test:
    def test(actual: object) -> bool:
        if not is_number(actual):
            raise UnsupportedKindError("a number", actual)
        return low <= actual <= high

    return test


def compare_datetimes(
    compare: Callable[[datetime, datetime], bool], expected: str
) -> Test:
    instant = datetime_of(expected)
    return lambda actual: compare(datetime_of(actual), instant)


def datetime_of(actual: object) -> datetime:
    found = read_datetime(actual) if isinstance(actual, str) else None
    if found is None:
        raise UnsupportedKindError("an ISO 8601 date or time", actual)
    return found


operator("before", check=check_datetime)(partial(compare_datetimes, lt))
operator("after", check=check_datetime)(partial(compare_datetimes, gt))
