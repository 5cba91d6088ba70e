"""How values appear in traces, and names in messages: bounded, and valid as jsonb.

PostgreSQL's jsonb accepts neither NUL nor lone surrogates, and JSON has no infinity.
Whole numbers over 64 bits become text, because few JSON parsers keep them exact.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from conditions.values import MISSING, well_formed

MAX_CHARACTERS = 200
MAX_EXACT_BITS = 63
MAX_SHOWN_BITS = 600
MAX_QUOTED = 60

Bounded = tuple[object, str | None]


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
