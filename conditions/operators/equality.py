from __future__ import annotations

from conditions.operators.base import Test, operator
from conditions.operators.checks import any_value, value_list
from conditions.values import is_number, same


def are_numbers(expected: object) -> bool:
    if not isinstance(expected, list) or not expected:
        return False
    return all(map(is_number, expected))


@operator(
    "equals",
    "eq",
    opposites=("not_equals", "ne"),
    check=any_value,
    judges_null=True,
    compares_numbers=is_number,
)
def equals(expected: object) -> Test:
    """Compare as JSON values: 1 equals 1.0, and neither true nor "1"."""
    if isinstance(expected, str):
        return lambda actual: actual == expected
    return lambda actual: same(actual, expected)


@operator(
    "in",
    "in_list",
    opposites=("not_in",),
    check=value_list,
    judges_null=True,
    compares_numbers=are_numbers,
)
def is_in(expected: list[object]) -> Test:
    """Equal to one of the list."""
    texts = frozenset(item for item in expected if isinstance(item, str))
    others = [item for item in expected if not isinstance(item, str)]

    def test(actual: object) -> bool:
        if isinstance(actual, str):
            return actual in texts
        return any(same(actual, item) for item in others)

    return test
