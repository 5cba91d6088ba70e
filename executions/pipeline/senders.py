from __future__ import annotations

from events.models import Event
from webhooks.definitions import WebhookTypeDefinition, resolve


def definition_of(event: Event) -> WebhookTypeDefinition:
    """Return how a webhook's sender is described: the event's type begins with it."""
    return resolve(event.type.partition(".")[0])
