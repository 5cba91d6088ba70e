"""The document that conditions are evaluated against, and fields, which look values up.

`body.items[0].id` and `body.items.0.id` are the same field, `body["a.b"]` has a key
with a dot. `request.query_params` means `request.query`; header names may be written
in any case.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import re2

from common.values import MISSING, quoted, unknown_name

MAX_FIELD_LENGTH = 500

TextPath = tuple[str, ...]

ROOTS = frozenset({
    "event", "request", "payload", "parsed", "schedule", "trigger", "history",
    "headers", "query", "body", "hour", "minute", "weekday", "date",
})  # fmt: skip

ALWAYS_TEXT: frozenset[TextPath] = frozenset(
    {
        ("request", "headers"),
        ("request", "query"),
        ("headers",),
        ("query",),
    }
)


@dataclass(frozen=True, slots=True)
class Document:
    """The values that a condition is evaluated against, under the names of `ROOTS`.

    `values` may compute a value at its first look-up; the evaluation then raises every
    exception of that computation except KeyError. Header names are lower-case.
    `text_paths` are further prefixes below which every scalar arrived as text, such as
    the body of a form: there, rules read numbers from numeric text.
    """

    values: Mapping[str, object]
    text_paths: frozenset[TextPath] = frozenset()


# The parser prepends a dot to a field, so that its root looks like any other segment.
SEGMENT = r'\.([^.\[\]"\s\x00]+)|\[([0-9]+)\]|\[("(?:[^"\\\x00-\x1f]|\\["\\/])*")\]'
ONE_SEGMENT = re2.compile(SEGMENT)
LEADING_SEGMENTS = re2.compile(f"(?:{SEGMENT})*")

OBJECTS = (dict, Mapping)  # dict first: isinstance() is slow for an ABC

Find = Callable[[Mapping[str, object]], object]


class UnreadableFieldError(ValueError):
    """The text is not a valid field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    path: TextPath
    """Its segments; the segment of a list item is its index in decimal notation."""

    def finder(self) -> Find:
        """Return a function that looks the value up; it returns MISSING if absent."""
        root = self.path[0]
        steps = tuple(
            (segment, int(segment) if segment.isascii() and segment.isdigit() else None)
            for segment in self.path[1:]
        )

        def find(values: Mapping[str, object]) -> object:
            current: object = values.get(root, MISSING)
            for key, index in steps:
                if isinstance(current, list):
                    if index is None or index >= len(current):
                        return MISSING
                    current = current[index]
                elif isinstance(current, OBJECTS):
                    current = current.get(key, MISSING)
                else:
                    return MISSING
            return current

        return find

    def text_test(self) -> Callable[[Document], bool]:
        """Return a function that returns whether scalars arrived here as text."""
        prefixes = {self.path[:length] for length in range(1, len(self.path) + 1)}
        if not prefixes.isdisjoint(ALWAYS_TEXT):
            return lambda document: True
        return lambda document: not prefixes.isdisjoint(document.text_paths)


def parse_field(written: str) -> Field:
    """Parse a field as a rule contains it; raise UnreadableFieldError if invalid."""
    path = _normalize(_split(written))
    if path[0] not in ROOTS:
        raise UnreadableFieldError(unknown_name("field root", path[0], ROOTS))
    return Field(path=path)


def _split(written: str) -> list[str]:
    if len(written) > MAX_FIELD_LENGTH:
        raise UnreadableFieldError(
            f"A field can have at most {MAX_FIELD_LENGTH} characters"
        )
    dotted = f".{written}"
    try:
        end = LEADING_SEGMENTS.match(dotted).end()
    except UnicodeEncodeError:
        raise UnreadableFieldError("A field must be valid Unicode text") from None
    if end < len(dotted):
        where = f"from character {max(end, 1)} on: {quoted(dotted[max(end, 1) :])}"
        raise UnreadableFieldError(f"The field is not valid {where}")
    return [
        bare or index or str(json.loads(quoted_key))
        for bare, index, quoted_key in (
            found.groups() for found in ONE_SEGMENT.finditer(dotted)
        )
    ]


def _normalize(segments: list[str]) -> TextPath:
    if segments[:2] == ["request", "query_params"]:
        segments[1] = "query"
    at = 1 if segments[0] == "request" else 0
    if segments[at : at + 1] == ["headers"]:
        segments[at + 1 :] = [name.lower() for name in segments[at + 1 :]]
    return tuple(segments)
