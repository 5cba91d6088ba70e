from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from events.models import Event, EventSource
from webhooks.definitions import WebhookTypeDefinition
from webhooks.parsing import MalformedBody, ParsedBody, parse_body
from webhooks.services.types import definitions_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An event's body as it came and as it reads.

    `fault` says why it does not read: the door lets no such body in, a replay of an
    old event may.
    """

    raw: bytes
    parsed: ParsedBody | None
    fault: str = ""

    @property
    def value(self) -> object:
        return self.parsed.value if self.parsed else None

    @property
    def is_text(self) -> bool:
        return self.parsed is not None and self.parsed.is_text


def read_bodies(events: Sequence[Event]) -> dict[UUID, Body]:
    """Read every event's body once; a replay's through the event it replays."""
    originals = {event.replay_of for event in events if event.replay_of}
    replayed = Event.objects.in_bulk(originals) if originals else {}
    sources = {
        event.id: replayed.get(event.replay_of, event) if event.replay_of else event
        for event in events
    }
    senders = definitions_of({_sender(event) for event in sources.values()} - {""})
    return {key: _read(event, senders) for key, event in sources.items()}


def _read(event: Event, senders: Mapping[str, WebhookTypeDefinition]) -> Body:
    raw, sender = bytes(event.body), senders.get(_sender(event))
    field = sender.form_json_field if sender else None
    try:
        parsed = parse_body(raw, event.content_type, form_json_field=field)
    except MalformedBody as error:
        return Body(raw=raw, parsed=None, fault=error.detail)
    return Body(raw=raw, parsed=parsed)


def _sender(event: Event) -> str:
    """Return the slug of the sender; empty for what the house itself tells."""
    is_sent = event.source == EventSource.WEBHOOK
    return event.type.partition(".")[0] if is_sent else ""
