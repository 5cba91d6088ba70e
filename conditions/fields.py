"""Fields: how a rule names a value of the document.

`body.items[0].id` and `body.items.0.id` are the same field, `body["a.b"]` has a key
with a dot. `request.query_params` means `request.query`; header names may be written
in any case.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import re2

from conditions.document import ALWAYS_TEXT, ROOTS, Document, TextPath
from conditions.suggestions import quoted, unknown
from conditions.values import MISSING

MAX_FIELD_LENGTH = 500

# A field is read with a dot put before it, so that its root looks like any segment.
SEGMENT = r'\.([^.\[\]"\s\x00]+)|\[([0-9]+)\]|\[("(?:[^"\\\x00-\x1f]|\\["\\/])*")\]'
ONE_SEGMENT = re2.compile(SEGMENT)
LEADING_SEGMENTS = re2.compile(f"(?:{SEGMENT})*")

OBJECTS = (dict, Mapping)  # dict first: an ABC is slow to ask

Find = Callable[[Mapping[str, object]], object]


class UnreadableFieldError(ValueError):
    """The field is not written as a field should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    path: TextPath
    """Its segments; that of an item of a list is the decimal index."""

    def finder(self) -> Find:
        """Return a function that gets the value, or MISSING, out of the values."""
        root, steps = self.path[0], tuple(map(_step, self.path[1:]))

        def find(values: Mapping[str, object]) -> object:
            current: object = values.get(root, MISSING)
            for key, index in steps:
                if isinstance(current, list):
                    current = _item(current, index)
                elif isinstance(current, OBJECTS):
                    current = current.get(key, MISSING)
                else:
                    return MISSING
            return current

        return find

    def text_test(self) -> Callable[[Document], bool]:
        """Return a function that tells whether scalars arrived here as text."""
        prefixes = {self.path[:length] for length in range(1, len(self.path) + 1)}
        if not prefixes.isdisjoint(ALWAYS_TEXT):
            return lambda document: True
        return lambda document: not prefixes.isdisjoint(document.text_paths)


def parse_field(written: str) -> Field:
    """Read a field as it stands in a rule, or raise UnreadableFieldError."""
    path = _normal(_segments(written))
    if path[0] not in ROOTS:
        raise UnreadableFieldError(unknown("field root", path[0], ROOTS))
    return Field(path=path)


def _segments(written: str) -> list[str]:
    if len(written) > MAX_FIELD_LENGTH:
        raise UnreadableFieldError(f"a field has at most {MAX_FIELD_LENGTH} characters")
    dotted = f".{written}"
    try:
        end = LEADING_SEGMENTS.match(dotted).end()
    except UnicodeEncodeError:
        raise UnreadableFieldError("a field is valid Unicode text") from None
    if end < len(dotted):
        where = f"from character {max(end, 1)} on: {quoted(dotted[max(end, 1) :])}"
        raise UnreadableFieldError(f"the field cannot be read {where}")
    return [_segment(*found.groups()) for found in ONE_SEGMENT.finditer(dotted)]


def _segment(bare: str | None, index: str | None, quoted_key: str | None) -> str:
    if quoted_key is not None:
        return str(json.loads(quoted_key))
    return bare or index or ""


def _normal(segments: list[str]) -> TextPath:
    if segments[:2] == ["request", "query_params"]:
        segments[1] = "query"
    at = 1 if segments[0] == "request" else 0
    if segments[at : at + 1] == ["headers"]:
        segments[at + 1 :] = [name.lower() for name in segments[at + 1 :]]
    return tuple(segments)


def _item(items: list[object], index: int | None) -> object:
    return MISSING if index is None or index >= len(items) else items[index]


def _step(segment: str) -> tuple[str, int | None]:
    is_index = segment.isascii() and segment.isdigit()
    return segment, int(segment) if is_index else None
