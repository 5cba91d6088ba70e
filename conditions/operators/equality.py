"""Operators for values of any kind: equality, presence and length."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import eq, gt, lt

from common.values import is_number
from conditions.operators.base import (
    Test,
    UnsupportedKindError,
    check_any,
    check_length,
    check_list,
    operator,
)
from conditions.values import are_numbers, is_equal


@operator(
    "equals",
    "eq",
    opposites=("not_equals", "ne"),
    check=check_any,
    accepts_null=True,
    compares_numbers=is_number,
)
def equals(expected: object) -> Test:
    """Compare as JSON values: 1 equals 1.0, and neither true nor "1"."""
    if isinstance(expected, str):
        return lambda actual: actual == expected
    return lambda actual: is_equal(actual, expected)


@operator(
    "in",
    "in_list",
    opposites=("not_in",),
    check=check_list,
    accepts_null=True,
    compares_numbers=are_numbers,
)
def is_in(expected: list[object]) -> Test:
    """Require that the value equals an item of the list."""
    texts = frozenset(item for item in expected if isinstance(item, str))
    others = [item for item in expected if not isinstance(item, str)]

    def test(actual: object) -> bool:
        if isinstance(actual, str):
            return actual in texts
        return any(is_equal(actual, item) for item in others)

    return test


@operator("exists", opposites=("not_exists",), check=None, accepts_null=True)
def exists(expected: None) -> Test:
    """Require that the document has the field, even if it is null."""
    return lambda actual: True


@operator("is_not_empty", opposites=("is_empty",), check=None)
def is_not_empty(expected: None) -> Test:
    """Require a value other than null, "", [] and {}; 0 and false are not empty."""
    return lambda actual: actual not in ("", [], {})


def compare_length(compare: Callable[[int, int], bool], expected: int) -> Test:
    """Compare the number of characters, of list items or of keys of an object."""

    def test(actual: object) -> bool:
        if isinstance(actual, str | list | Mapping):
            return compare(len(actual), expected)
        raise UnsupportedKindError("text, a list or an object", actual)

    return test


operator("length_equals", check=check_length)(partial(compare_length, eq))
operator("length_greater_than", check=check_length)(partial(compare_length, gt))
operator("length_less_than", check=check_length)(partial(compare_length, lt))
