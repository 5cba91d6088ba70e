"""Bounded stand-ins of values, fit for a trace that is stored as PostgreSQL jsonb.

jsonb takes neither NUL nor lone surrogates, and JSON has no infinity; whole numbers
over 64 bits are written as text because few JSON readers keep them exact.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping

from conditions.values import MISSING, well_formed

MAX_CHARACTERS = 200
MAX_EXACT_BITS = 63
MAX_SHOWN_BITS = 600


Bounded = tuple[object, str | None]


def bounded(value: object) -> Bounded:
    """Return a JSON-able stand-in of about 200 characters at most.

    With it comes what the original was, in words, if the stand-in is shorter.
    """
    if isinstance(value, str):
        return _bounded_text(value)
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
    """Replace what jsonb cannot hold by U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return well_formed(text).replace("\0", "\ufffd")


def _bounded_text(text: str) -> Bounded:
    if len(text) <= MAX_CHARACTERS:
        return storable(text), None
    beginning = storable(text[:MAX_CHARACTERS])
    return f"{beginning}…", f"text of {len(text)} characters"


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
            return f"{text[:MAX_CHARACTERS]}…", _size_in_words(container)
    return json.loads(text), None


def _size_in_words(container: list[object] | Mapping[str, object]) -> str:
    if isinstance(container, list):
        return f"list of {len(container)} items"
    return f"object of {len(container)} keys"


def _json_pieces(value: object) -> Iterator[str]:
    """Yield the JSON text of a value bit by bit, so that a reader may stop early."""
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
