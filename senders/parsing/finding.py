from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from senders.definitions import (
    BodyHashSource,
    BodySource,
    ConstantSource,
    FirstKeySource,
    HeaderSource,
    JoinedSource,
    NamedSource,
    QuerySource,
    Source,
)

MAX_INDEX_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Looks values up in one request. Header names are in lower case."""

    headers: Mapping[str, str]
    query: Mapping[str, object]
    body: object

    def value(self, source: Source) -> object:
        """Return what the request holds there, None if nothing.

        The hash of a body is no value of it: whoever has the bytes makes it.
        """
        match source:
            case HeaderSource():
                return self.headers.get(source.name.lower()) or None
            case QuerySource():
                return _first(self.query.get(source.name))
            case BodySource():
                return follow(self.body, source.path)
            case FirstKeySource():
                return self._first_key(source)
            case ConstantSource():
                return source.value
            case JoinedSource():
                return self._joined(source)
            case NamedSource():
                return dict(source.names).get(self.text(source.source))
            case BodyHashSource():
                return None

    def text(self, source: Source) -> str:
        """Return the value as text, empty if it is neither text nor a whole number."""
        return as_text(self.value(source))

    def _first_key(self, source: FirstKeySource) -> str | None:
        if not isinstance(self.body, dict):
            return None
        return next((name for name in source.names if name in self.body), None)

    def _joined(self, source: JoinedSource) -> str | None:
        texts = [self.text(part) for part in source.sources]
        return "\n".join(texts) if all(texts) else None


def follow(value: object, path: tuple[str, ...]) -> object:
    """Return what a JSON Pointer points to, None if there is nothing."""
    for token in path:
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and _is_index(token) and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return value


def as_text(value: object) -> str:
    """Return text or a whole number as text that UTF-8 can carry, else nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip().encode("utf-8", "backslashreplace").decode()


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) else value


def _is_index(token: str) -> bool:
    return token.isascii() and token.isdigit() and len(token) <= MAX_INDEX_DIGITS
