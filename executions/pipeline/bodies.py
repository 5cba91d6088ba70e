from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from events.models import Event, EventSource
from executions.pipeline.senders import definition_of
from webhooks.parsing import MalformedBody, ParsedBody, decode_body, parse_body


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An event's body, without its Content-Encoding, and as it reads.

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
    return {
        event.id: _read(
            replayed.get(event.replay_of, event) if event.replay_of else event
        )
        for event in events
    }


def _read(event: Event) -> Body:
    raw = bytes(event.body)
    try:
        raw = decode_body(raw, _content_encoding(event))
        parsed = parse_body(
            raw, event.content_type, form_json_field=_form_json_field(event)
        )
    except MalformedBody as error:
        return Body(raw=raw, parsed=None, fault=error.detail)
    return Body(raw=raw, parsed=parsed)


def _content_encoding(event: Event) -> str:
    if event.source != EventSource.WEBHOOK or not event.request:
        return ""
    return str(event.request.get("headers", {}).get("content-encoding", ""))


def _form_json_field(event: Event) -> str | None:
    if event.source != EventSource.WEBHOOK:
        return None
    return definition_of(event).form_json_field
