"""What the operators know about JSON values.

Booleans are never numbers, whole and decimal numbers are one kind, and nothing here
raises on a value that a stranger sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Final, TypeGuard

MAX_NUMBER_LENGTH = 64
MAX_MOMENT_LENGTH = 40
NUMBER_CHARACTERS = frozenset("0123456789+-.eE")


class Missing(Enum):
    """The value of a field that is not in the document."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


def is_number(value: object) -> TypeGuard[int | float]:
    return type(value) is int or type(value) is float


def kind_of(value: object) -> str:
    """Name the kind of a value in plain words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if is_number(value):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "an object"


def same(actual: object, expected: object) -> bool:
    """Compare as JSON values, no deeper than `expected` is nested."""
    if isinstance(actual, bool) or isinstance(expected, bool):
        return actual is expected
    if isinstance(expected, list):
        return _same_list(actual, expected)
    if isinstance(expected, Mapping):
        return _same_object(actual, expected)
    return actual == expected


def _same_list(actual: object, expected: list[object]) -> bool:
    if not isinstance(actual, list) or len(actual) != len(expected):
        return False
    return all(map(same, actual, expected))


def _same_object(actual: object, expected: Mapping[str, object]) -> bool:
    if not isinstance(actual, Mapping) or actual.keys() != expected.keys():
        return False
    return all(same(actual[key], value) for key, value in expected.items())


def read_number(text: str) -> int | float | None:
    """Read decimal notation, also with an exponent; None if it is anything else."""
    if len(text) > MAX_NUMBER_LENGTH or not NUMBER_CHARACTERS.issuperset(text):
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None


def read_moment(text: str) -> datetime | None:
    """Read an ISO 8601 date or time; None if it is neither.

    A date stands for its midnight, and a time without an offset is UTC.
    """
    if len(text) > MAX_MOMENT_LENGTH:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def well_formed(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot carry, by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
