"""What may stand as the value of a rule: each check says what is wrong, or None."""

from __future__ import annotations

import math
from collections.abc import Mapping

from conditions.values import read_moment

MAX_VALUE_DEPTH = 16


def any_value(expected: object) -> str | None:
    if _is_within(expected, MAX_VALUE_DEPTH):
        return None
    return f"takes values nested at most {MAX_VALUE_DEPTH} deep"


def text(expected: object) -> str | None:
    return None if isinstance(expected, str) else "needs text"


def value_list(expected: object) -> str | None:
    return any_value(expected) if isinstance(expected, list) else "needs a list"


def number(expected: object) -> str | None:
    if _is_finite(expected):
        return None
    return "needs a number (to compare dates, use before, after or between)"


def length(expected: object) -> str | None:
    if type(expected) is int and expected >= 0:
        return None
    return "needs a whole number, zero or more"


def moment(expected: object) -> str | None:
    if isinstance(expected, str) and read_moment(expected):
        return None
    return "needs an ISO 8601 date or time as text, such as 2025-03-01"


def bounds(expected: object) -> str | None:
    """Check [low, high], two numbers or two dates."""
    if not isinstance(expected, list) or len(expected) != 2:
        return "needs a list of two, [low, high]"
    if all(map(_is_finite, expected)):
        low, high = expected
    elif all(moment(end) is None for end in expected):
        low, high = map(read_moment, expected)
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
