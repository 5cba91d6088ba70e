"""Kinds, equality and parsing of JSON values.

Booleans are never numbers, and whole and decimal numbers are one kind. No function
here raises, whatever value a sender sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Final, TypeGuard

MAX_NUMBER_LENGTH = 64
MAX_DATETIME_LENGTH = 40
NUMBER_CHARACTERS = frozenset("0123456789+-.eE")


class Missing(Enum):
    """The value of a field that is not in the document."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


def is_number(value: object) -> TypeGuard[int | float]:
    return type(value) is int or type(value) is float


def are_numbers(value: object) -> bool:
    """Return whether a value is a list that contains numbers only, at least one."""
    return isinstance(value, list) and bool(value) and all(map(is_number, value))


def kind_of(value: object) -> str:
    """Return the kind of a value as messages name it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if is_number(value):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "an object"


def is_equal(actual: object, expected: object) -> bool:
    """Compare as JSON values, no deeper than `expected` is nested."""
    if isinstance(actual, bool) or isinstance(expected, bool):
        return actual is expected
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return False
        return all(map(is_equal, actual, expected))
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping) or actual.keys() != expected.keys():
            return False
        return all(is_equal(actual[key], value) for key, value in expected.items())
    return actual == expected


def read_number(text: str) -> int | float | None:
    """Parse decimal notation, with or without an exponent; return None if it is not."""
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


def read_datetime(text: str) -> datetime | None:
    """Parse an ISO 8601 date or time; return None if it is neither.

    A date means its midnight, and a time without an offset is UTC.
    """
    if len(text) > MAX_DATETIME_LENGTH:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)


def well_formed(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot encode, by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
