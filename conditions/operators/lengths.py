from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import eq, gt, lt

from conditions.operators.base import Test, UnjudgeableError, operator
from conditions.operators.checks import length


def measured(compare: Callable[[int, int], bool], expected: int) -> Test:
    """Compare the number of characters, of items of a list or of keys of an object."""

    def test(actual: object) -> bool:
        if isinstance(actual, str | list | Mapping):
            return compare(len(actual), expected)
        raise UnjudgeableError("text, a list or an object", actual)

    return test


operator("length_equals", check=length)(partial(measured, eq))
operator("length_greater_than", check=length)(partial(measured, gt))
operator("length_less_than", check=length)(partial(measured, lt))
