from __future__ import annotations

import hashlib
import string
from collections.abc import Iterator
from dataclasses import dataclass

from senders.definitions import BodyHashSource, Source, WebhookTypeDefinition
from senders.parsing.finding import Finder

MAX_EVENT_TYPE_LENGTH = 200
MAX_DELIVERY_ID_LENGTH = 8000
UNKNOWN_EVENT_TYPE = "unknown"
EVENT_TYPE_CHARACTERS = frozenset(string.ascii_letters + string.digits + "_.:-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What kind of event a request brings, and the sender's own id of it."""

    event_type: str
    delivery_id: str | None


def extract(
    definition: WebhookTypeDefinition, request: Finder, *, raw_body: bytes, now: float
) -> Identity:
    """Find the event type (`github.push`, at most 200 characters) and delivery id.

    An event type that the sender does not tell is `<slug>.unknown`. A delivery id of
    more than 8,000 characters is none: cut short, two of them could become one. `now`
    is in seconds since the epoch.
    """
    event_type = next(_texts(request, definition.event_type), None)
    return Identity(
        event_type=_full_event_type(definition, event_type),
        delivery_id=_delivery_id(definition, request, raw_body, now),
    )


def _texts(request: Finder, sources: tuple[Source, ...]) -> Iterator[str]:
    for source in sources:
        if text := request.text(source):
            yield text


def _delivery_id(
    definition: WebhookTypeDefinition, request: Finder, raw_body: bytes, now: float
) -> str | None:
    for source in definition.delivery_id:
        if isinstance(source, BodyHashSource):
            return _body_hash(source, raw_body, now)
        if text := request.text(source):
            return text if len(text) <= MAX_DELIVERY_ID_LENGTH else None
    return None


def _body_hash(source: BodyHashSource, raw_body: bytes, now: float) -> str:
    window = int(now) // source.window_seconds
    return f"sha256:{hashlib.sha256(raw_body).hexdigest()}@{window}"


def _full_event_type(definition: WebhookTypeDefinition, sent: str | None) -> str:
    words = (sent or UNKNOWN_EVENT_TYPE).replace("\n", ".")
    full = f"{definition.slug}.{words}"[:MAX_EVENT_TYPE_LENGTH]
    return "".join(c if c in EVENT_TYPE_CHARACTERS else "_" for c in full)
