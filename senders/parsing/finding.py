"""Finds values in a request, and with them the event type and delivery id."""

from __future__ import annotations

import hashlib
import re
import string
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
    TextAfterSource,
    WebhookTypeDefinition,
)
from senders.parsing.bodies import ParsedBody, parse_body

MAX_EVENT_TYPE_LENGTH = 200
MAX_DELIVERY_ID_LENGTH = 8000
UNKNOWN_EVENT_TYPE = "unknown"
EVENT_TYPE_CHARACTERS = frozenset(string.ascii_letters + string.digits + "_.:-")
INDEX = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Looks up the values of sources in a request. Header names are in lower case."""

    headers: Mapping[str, str]
    query: Mapping[str, object]
    body: object

    def value(self, source: Source) -> object:
        """Return the value of the source, None if the request does not have it.

        The hash of the body is not looked up here: it needs the raw bytes.
        """
        match source:
            case HeaderSource():
                return self.headers.get(source.name.lower()) or None
            case QuerySource():
                value = self.query.get(source.name)
                return value[0] if isinstance(value, list) else value
            case BodySource():
                return resolve_pointer(self.body, source.path)
            case FirstKeySource():
                keys = self.body if isinstance(self.body, dict) else {}
                return next((name for name in source.names if name in keys), None)
            case ConstantSource():
                return source.value
            case JoinedSource():
                texts = [self.text(part) for part in source.sources]
                return "\n".join(texts) if all(texts) else None
            case NamedSource():
                return dict(source.names).get(self.text(source.source))
            case TextAfterSource():
                text = self.text(source.source)
                prefix = source.prefix
                return text.removeprefix(prefix) if text.startswith(prefix) else None
            case BodyHashSource():
                return None

    def text(self, source: Source) -> str:
        """Return the value as text, empty if it is neither text nor a whole number."""
        return as_text(self.value(source))


def resolve_pointer(value: object, path: tuple[str, ...]) -> object:
    """Return the value at the tokens of a JSON Pointer; None if there is none."""
    for token in path:
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and INDEX.fullmatch(token):
            value = value[int(token)] if int(token) < len(value) else None
        else:
            return None
    return value


def as_text(value: object) -> str:
    """Return a text or whole number as text that UTF-8 can encode, else empty text."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip().encode("utf-8", "backslashreplace").decode()


def parse_sent(
    definition: WebhookTypeDefinition, body: bytes, content_type: str
) -> ParsedBody:
    """Return the value of a body as its sender's type reads it; raise MalformedBody."""
    return parse_body(
        body,
        content_type,
        form_json_field=definition.form_json_field,
        any_body=definition.any_body,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryIdentity:
    """The event type of a request, and the id that the sender gave the delivery."""

    event_type: str
    delivery_id: str | None


def extract_identity(
    definition: WebhookTypeDefinition, request: Finder, *, raw_body: bytes, now: float
) -> DeliveryIdentity:
    """Return the event type (`github.push`, at most 200 characters) and delivery id.

    If the request has no event type, it is `<slug>.unknown`. A delivery id of more than
    8,000 characters is ignored: two of them could become equal if they were truncated.
    `now` is in seconds since the epoch.
    """
    texts = map(request.text, definition.event_type)
    sent = next(filter(None, texts), UNKNOWN_EVENT_TYPE).replace("\n", ".")
    event_type = f"{definition.slug}.{sent}"[:MAX_EVENT_TYPE_LENGTH]
    return DeliveryIdentity(
        event_type="".join(
            c if c in EVENT_TYPE_CHARACTERS else "_" for c in event_type
        ),
        delivery_id=_delivery_id(definition, request, raw_body, now),
    )


def _delivery_id(
    definition: WebhookTypeDefinition, request: Finder, raw_body: bytes, now: float
) -> str | None:
    for source in definition.delivery_id:
        if isinstance(source, BodyHashSource):
            window = int(now) // source.window_seconds
            return f"sha256:{hashlib.sha256(raw_body).hexdigest()}@{window}"
        if text := request.text(source):
            return text if len(text) <= MAX_DELIVERY_ID_LENGTH else None
    return None
