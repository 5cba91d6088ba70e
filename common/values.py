"""JSON values and names from outside: kinds, parsing, and text that can be stored.

Booleans are never numbers, and whole and decimal numbers are one kind. No function
here raises, whatever value a sender sent.

PostgreSQL's jsonb accepts neither NUL nor lone surrogates.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import Enum
from typing import Final, TypeGuard

MAX_NUMBER_LENGTH = 64
MAX_DATETIME_LENGTH = 40
NUMBER_CHARACTERS = frozenset("0123456789+-.eE")

MAX_QUOTED = 60


class Missing(Enum):
    """The value of a field that is not in the document."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


def is_number(value: object) -> TypeGuard[int | float]:
    return type(value) is int or type(value) is float


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


def storable(text: str) -> str:
    """Replace each character that jsonb rejects by U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return well_formed(text).replace("\0", "\ufffd")


def quoted(name: object) -> str:
    """Quote a name from user input, shortened to fit into a message."""
    text = storable(str(name)[: MAX_QUOTED + 1])
    return f"'{text}'" if len(text) <= MAX_QUOTED else f"'{text[:MAX_QUOTED]}…'"


def did_you_mean(written: str, known: Iterable[str]) -> str | None:
    """Return "did you mean 'x'?" for the closest known name, or None."""
    close = get_close_matches(written[:MAX_QUOTED].lower(), sorted(known), n=1)
    return f"did you mean '{close[0]}'?" if close else None


def unknown_name(kind: str, written: str, known: Iterable[str]) -> str:
    """Return the message for an unknown name: it suggests a close one or lists all."""
    names = sorted(known)
    hint = did_you_mean(written, names) or f"known: {', '.join(names)}"
    return f"Unknown {kind} {quoted(written)}; {hint}"
