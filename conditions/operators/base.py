"""Operators of rules: the class, the registry, and checks of a rule's `value`.

A check returns what is wrong with the value, or None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from common.registry import Registry
from common.values import MISSING, kind_of, read_datetime

MAX_VALUE_DEPTH = 16

Test = Callable[[object], bool]
Prepare = Callable[[Any], Test]
Check = Callable[[object], str | None]


class UnsupportedKindError(Exception):
    """The operator does not support values of this kind."""

    def __init__(self, needed: str, actual: object) -> None:
        super().__init__(
            f"The operator needs {needed}, but the value is {kind_of(actual)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    prepare: Prepare
    """Returns the test for an expected value in which `check` found nothing wrong.

    A test raises UnsupportedKindError and nothing else.
    """
    check: Check | None
    """Returns what is wrong with an expected value; None if the operator has none."""
    accepts_null: bool
    compares_numbers: Callable[[object], bool]
    """Returns whether the operator compares an expected value with numbers."""
    is_opposite: bool = False

    @property
    def takes_value(self) -> bool:
        return self.check is not None

    def find_fault(self, rule: Mapping[str, object]) -> str | None:
        """Return what is wrong with the rule's `value`, or None."""
        if self.check is None:
            return "takes no value" if rule.get("value") is not None else None
        return self.check(rule["value"]) if "value" in rule else "needs a value"

    def test(self, expected: object) -> Test:
        """Return a predicate for values; it accepts MISSING, too."""
        test = self.prepare(expected)
        accepts_null, is_opposite = self.accepts_null, self.is_opposite

        def is_met(actual: object) -> bool:
            if actual is MISSING or (actual is None and not accepts_null):
                return is_opposite
            return test(actual) is not is_opposite

        return is_met


operators: Registry[Operator] = Registry("operator")


def operator(
    *names: str,
    check: Check | None,
    opposites: Sequence[str] = (),
    accepts_null: bool = False,
    compares_numbers: Callable[[object], bool] = lambda expected: False,
) -> Callable[[Prepare], Prepare]:
    """Register a function that prepares a test, and its opposite, by their names."""

    def register(prepare: Prepare) -> Prepare:
        made = Operator(
            prepare=prepare,
            check=check,
            accepts_null=accepts_null,
            compares_numbers=compares_numbers,
        )
        for name in names:
            operators.register(name)(made)
        for name in opposites:
            operators.register(name)(replace(made, is_opposite=True))
        return prepare

    return register


def check_any(expected: object) -> str | None:
    if _is_within(expected, MAX_VALUE_DEPTH):
        return None
    return f"takes values nested at most {MAX_VALUE_DEPTH} deep"


def check_text(expected: object) -> str | None:
    return None if isinstance(expected, str) else "needs text"


def check_list(expected: object) -> str | None:
    return check_any(expected) if isinstance(expected, list) else "needs a list"


def check_number(expected: object) -> str | None:
    if _is_finite(expected):
        return None
    return "needs a number (to compare dates, use before, after or between)"


def check_length(expected: object) -> str | None:
    if type(expected) is int and expected >= 0:
        return None
    return "needs a whole number, zero or more"


def check_datetime(expected: object) -> str | None:
    if isinstance(expected, str) and read_datetime(expected):
        return None
    return "needs an ISO 8601 date or time as text, such as 2025-03-01"


def check_range(expected: object) -> str | None:
    """Check [low, high], two numbers or two dates."""
    if not isinstance(expected, list) or len(expected) != 2:
        return "needs a list of two, [low, high]"
    if all(map(_is_finite, expected)):
        low, high = expected
    elif all(check_datetime(end) is None for end in expected):
        low, high = map(read_datetime, expected)
    else:
        return "needs two numbers or two ISO 8601 dates"
    return None if low <= high else "needs the lower bound first"


def _is_finite(expected: object) -> bool:
    return type(expected) is int or (
        isinstance(expected, float) and math.isfinite(expected)
    )


def _is_within(value: object, depth: int) -> bool:
    if isinstance(value, Mapping):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return depth > 0 and all(_is_within(item, depth - 1) for item in value)
