"""JSON values: equality, and how traces and messages show them.

No function here raises, whatever value a sender sent.

Shown values are bounded, and valid as jsonb: PostgreSQL's jsonb accepts neither NUL nor
lone surrogates, and JSON has no infinity. Whole numbers over 64 bits become text,
because few JSON parsers keep them exact.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping

from common.values import MISSING, is_number, storable

MAX_CHARACTERS = 200
MAX_EXACT_BITS = 63
MAX_SHOWN_BITS = 600

Bounded = tuple[object, str | None]


def are_numbers(value: object) -> bool:
    """Return whether a value is a list that contains numbers only, at least one."""
    return isinstance(value, list) and bool(value) and all(map(is_number, value))


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
