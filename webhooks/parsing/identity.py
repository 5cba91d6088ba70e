from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from webhooks.definitions import (
    BodySource,
    ConstantSource,
    HeaderSource,
    Source,
    WebhookTypeDefinition,
)
from webhooks.parsing.bodies import ParsedBody

MAX_EVENT_TYPE_LENGTH = 200
MAX_DELIVERY_ID_LENGTH = 8000
MAX_INDEX_DIGITS = 6
UNKNOWN_EVENT_TYPE = "unknown"
EVENT_TYPE_CHARACTERS = frozenset(string.ascii_letters + string.digits + "_.:-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What kind of event a request brings, and the sender's own id of it."""

    event_type: str
    delivery_id: str | None


def extract(
    definition: WebhookTypeDefinition, *, headers: Mapping[str, str], body: ParsedBody
) -> Identity:
    """Find the event type (`github.push`, at most 200 characters) and delivery id.

    An event type that the sender does not tell is `<slug>.unknown`. A delivery id of
    more than 8,000 characters is none: cut short, two of them could become one.
    """
    found = _Finder(headers={k.lower(): v for k, v in headers.items()}, body=body.value)
    return Identity(
        event_type=_full_event_type(definition, found.first(definition.event_type)),
        delivery_id=_bounded_id(found.first(definition.delivery_id)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finder:
    headers: Mapping[str, str]
    body: object

    def first(self, sources: tuple[Source, ...]) -> str | None:
        return next(self._texts(sources), None)

    def _texts(self, sources: tuple[Source, ...]) -> Iterator[str]:
        for source in sources:
            if text := _as_text(self._value(source)):
                yield text

    def _value(self, source: Source) -> object:
        match source:
            case HeaderSource():
                return self.headers.get(source.name.lower())
            case BodySource():
                return _follow(self.body, source.path)
            case ConstantSource():
                return source.value


def _follow(value: object, path: tuple[str, ...]) -> object:
    """Return what a JSON Pointer points to, None if there is nothing."""
    for token in path:
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and _is_index(token) and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return value


def _is_index(token: str) -> bool:
    return token.isascii() and token.isdigit() and len(token) <= MAX_INDEX_DIGITS


def _as_text(value: object) -> str:
    """Return text or a whole number as text that UTF-8 can carry, else nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip().encode("utf-8", "backslashreplace").decode()


def _full_event_type(definition: WebhookTypeDefinition, sent: str | None) -> str:
    full = f"{definition.slug}.{sent or UNKNOWN_EVENT_TYPE}"[:MAX_EVENT_TYPE_LENGTH]
    return "".join(c if c in EVENT_TYPE_CHARACTERS else "_" for c in full)


def _bounded_id(delivery_id: str | None) -> str | None:
    if delivery_id is None or len(delivery_id) > MAX_DELIVERY_ID_LENGTH:
        return None
    return delivery_id
