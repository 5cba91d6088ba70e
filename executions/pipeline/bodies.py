from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from events.models import Event, EventSource
from executions.pipeline.senders import find_senders, slug_of
from senders.definitions import WebhookTypeDefinition
from senders.parsing import MalformedBody, ParsedBody, decode_body, parse_body


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An event's body, without its Content-Encoding, and as it reads.

    `fault` says why it does not read: the door lets no such body in, a replay of an
    old event may. `sender` is how a webhook's sender is described.
    """

    raw: bytes
    parsed: ParsedBody | None
    fault: str = ""
    sender: WebhookTypeDefinition | None = None

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
    senders = find_senders(sources.values())
    return {key: _read(event, senders) for key, event in sources.items()}


def _read(event: Event, senders: Mapping[str, WebhookTypeDefinition]) -> Body:
    raw, sender = bytes(event.body), senders.get(slug_of(event))
    field = sender.form_json_field if sender else None
    try:
        raw = decode_body(raw, _content_encoding(event))
        parsed = parse_body(raw, event.content_type, form_json_field=field)
    except MalformedBody as error:
        return Body(raw=raw, parsed=None, fault=error.detail, sender=sender)
    return Body(raw=raw, parsed=parsed, sender=sender)


def _content_encoding(event: Event) -> str:
    if event.source != EventSource.WEBHOOK or not event.request:
        return ""
    return str(event.request.get("headers", {}).get("content-encoding", ""))
