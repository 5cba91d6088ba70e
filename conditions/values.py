"""JSON values: kinds, equality, parsing, and how traces and messages show them.

Booleans are never numbers, and whole and decimal numbers are one kind. No function
here raises, whatever value a sender sent.

Shown values are bounded, and valid as jsonb: PostgreSQL's jsonb accepts neither NUL nor
lone surrogates, and JSON has no infinity. Whole numbers over 64 bits become text,
because few JSON parsers keep them exact.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import Enum
from typing import Final, TypeGuard

MAX_NUMBER_LENGTH = 64
MAX_DATETIME_LENGTH = 40
NUMBER_CHARACTERS = frozenset("0123456789+-.eE")

MAX_CHARACTERS = 200
MAX_EXACT_BITS = 63
MAX_SHOWN_BITS = 600
MAX_QUOTED = 60

Bounded = tuple[object, str | None]


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


def bounded(value: object) -> Bounded:
    """Return a JSON-able copy of at most about 200 characters.

    If it is shortened, the second item describes the original, such as "list of 900
    items"; else it is None.
    """
    if isinstance(value, str):
        if len(value) <= MAX_CHARACTERS:
            return storable(value), None
        beginning = storable(value[:MAX_CHARACTERS])
        return f"{beginning}…", f"text of {len(value)} characters"
    if value is None or value is MISSING:
        return None, None
    if isinstance(value, bool):
        return value, None
    if isinstance(value, int):
        return _bounded_whole_number(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value), None
    if isinstance(value, list | Mapping):
        return _bounded_container(value)
    return f"<{type(value).__name__}>", None


def storable(text: str) -> str:
    """Replace each character that jsonb rejects by U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return well_formed(text).replace("\0", "\ufffd")


def _bounded_whole_number(number: int) -> Bounded:
    bits = number.bit_length()
    if bits <= MAX_EXACT_BITS:
        return number, None
    if bits <= MAX_SHOWN_BITS:
        return str(number), None
    return "…", f"whole number of {bits} bits"


def _bounded_container(container: list[object] | Mapping[str, object]) -> Bounded:
    text = ""
    for piece in _json_pieces(container):
        text += piece
        if len(text) > MAX_CHARACTERS:
            size = f"object of {len(container)} keys"
            if isinstance(container, list):
                size = f"list of {len(container)} items"
            return f"{text[:MAX_CHARACTERS]}…", size
    return json.loads(text), None


def _json_pieces(value: object) -> Iterator[str]:
    """Yield the JSON text of a value in pieces, so that the caller can stop early."""
    if isinstance(value, Mapping):
        yield "{"
        for position, (key, item) in enumerate(value.items()):
            yield f"{', ' if position else ''}{_json_scalar(str(key))}: "
            yield from _json_pieces(item)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for position, item in enumerate(value):
            yield ", " if position else ""
            yield from _json_pieces(item)
        yield "]"
    else:
        yield _json_scalar(value)


def _json_scalar(value: object) -> str:
    return json.dumps(bounded(value)[0], ensure_ascii=False)


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
