from __future__ import annotations

from collections.abc import Iterable

from events.models import Event, EventSource
from senders.definitions import WebhookTypeDefinition
from webhooks.types import definitions_of


def find_senders(events: Iterable[Event]) -> dict[str, WebhookTypeDefinition]:
    """Return how the senders of webhooks are described, asked for together."""
    return definitions_of({slug_of(event) for event in events} - {""})


def slug_of(event: Event) -> str:
    """Return the slug of the sender; empty for what the house itself tells."""
    is_sent = event.source == EventSource.WEBHOOK
    return event.type.partition(".")[0] if is_sent else ""
