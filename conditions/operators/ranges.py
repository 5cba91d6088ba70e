from __future__ import annotations

from conditions.operators.base import Test, UnjudgeableError, operator
from conditions.operators.checks import bounds
from conditions.operators.dates import moment_of
from conditions.operators.equality import are_numbers
from conditions.values import is_number


@operator("between", check=bounds, compares_numbers=are_numbers)
def between(expected: list[int | float] | list[str]) -> Test:
    """Lie between two numbers or two dates, both included."""
    low, high = expected
    if is_number(low) and is_number(high):
        return _between_numbers(low, high)
    return _between_moments(str(low), str(high))


def _between_numbers(low: int | float, high: int | float) -> Test:
    def test(actual: object) -> bool:
        if not is_number(actual):
            raise UnjudgeableError("a number", actual)
        return low <= actual <= high

    return test


def _between_moments(low: str, high: str) -> Test:
    first, last = moment_of(low), moment_of(high)
    return lambda actual: first <= moment_of(actual) <= last
