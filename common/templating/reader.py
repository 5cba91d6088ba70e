from __future__ import annotations

import json
import math
from dataclasses import dataclass

from common.templating.errors import InvalidTemplate
from common.values import storable

SPACE = frozenset(" \t\r\n\f")

_NOT_JSON = (
    "Write a value as in JSON: text in double quotes, a number, true, false, null, "
    "[] or {}"
)


def _reject_constant(name: str) -> object:
    raise ValueError(name)


_decoder = json.JSONDecoder(parse_constant=_reject_constant)


@dataclass(slots=True)
class Reader:
    """Reads the text of a path or a template from left to right, each character once.

    Its methods move `at` behind what they take, and raise InvalidTemplate.
    """

    text: str
    at: int = 0

    def error(self, detail: str, *, at: int | None = None) -> InvalidTemplate:
        place = self.at if at is None else at
        return InvalidTemplate(detail, text=self.text, at=place)

    def is_at(self, token: str) -> bool:
        return self.text.startswith(token, self.at)

    def take(self, token: str) -> bool:
        """Take this token if it comes next; return whether it does."""
        if not self.is_at(token):
            return False
        self.at += len(token)
        return True

    def take_until(self, ends: frozenset[str]) -> str:
        """Take the characters before the first of `ends`, or all that follow."""
        begin = self.at
        while self.at < len(self.text) and self.text[self.at] not in ends:
            self.at += 1
        return self.text[begin : self.at]

    def skip_space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in SPACE:
            self.at += 1

    def take_quoted(self) -> str:
        """Take text in double quotes, with the escapes of JSON."""
        begin = self.at
        try:
            value, self.at = _decoder.raw_decode(self.text, self.at)
        except ValueError:
            detail = 'The text in quotes is not valid: close it with "; write \\" for "'
            raise self.error(f"{detail} and \\\\ for \\", at=begin) from None
        return str(value)

    def take_literal(self) -> object:
        """Take text, a number, true, false or null as in JSON, or [] or {}."""
        begin = self.at
        value: object
        if self.is_at('"'):
            value = self.take_quoted()
        elif self.take("["):
            value = self._take_end_of_empty("]", [], begin)
        elif self.take("{"):
            value = self._take_end_of_empty("}", {}, begin)
        else:
            try:
                value, self.at = _decoder.raw_decode(self.text, self.at)
            except ValueError:
                raise self.error(_NOT_JSON) from None
        if isinstance(value, str) and storable(value) != value:
            raise self.error("Text cannot contain NUL or lone surrogates", at=begin)
        if isinstance(value, float) and not math.isfinite(value):
            raise self.error("The number is too large", at=begin)
        return value

    def _take_end_of_empty(self, end: str, empty: object, begin: int) -> object:
        self.skip_space()
        if not self.take(end):
            raise self.error(_NOT_JSON, at=begin)
        return empty


def read_text(text: str, *, kind: str, limit: int) -> Reader:
    """Return a reader of the text; raise InvalidTemplate if it cannot be stored."""
    reader = Reader(text)
    if len(text) > limit:
        detail = f"A {kind} can have at most {limit:,} characters"
        raise reader.error(detail, at=limit)
    if storable(text) != text:
        bad = (n for n, c in enumerate(text) if c == "\0" or "\ud800" <= c <= "\udfff")
        raise reader.error(f"A {kind} must be valid Unicode without NUL", at=next(bad))
    return reader
