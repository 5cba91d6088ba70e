from __future__ import annotations

from django import template

from senders.definitions.shipped import sample_events
from webhooks.models import WebhookEndpoint

register = template.Library()


@register.simple_tag
def events_to_test(endpoint: WebhookEndpoint) -> list[str]:
    """Return the events that there are samples of for an endpoint's sender."""
    return sample_events(endpoint.type)
