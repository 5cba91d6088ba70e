from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import ge, gt, le, lt

from conditions.operators.base import Test, UnjudgeableError, operator
from conditions.operators.checks import number
from conditions.values import is_number

Compare = Callable[[int | float, int | float], bool]

ORDERINGS: dict[tuple[str, ...], Compare] = {
    ("greater_than", "gt"): gt,
    ("greater_than_or_equals", "greater_than_or_equal", "gte"): ge,
    ("less_than", "lt"): lt,
    ("less_than_or_equals", "less_than_or_equal", "lte"): le,
}


def ordered(compare: Compare, expected: int | float) -> Test:
    def test(actual: object) -> bool:
        if not is_number(actual):
            raise UnjudgeableError("a number", actual)
        return compare(actual, expected)

    return test


for names, compare in ORDERINGS.items():
    operator(*names, check=number, compares_numbers=is_number)(
        partial(ordered, compare)
    )
