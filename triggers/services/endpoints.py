"""What a trigger does with the endpoint that its webhooks come by."""

from __future__ import annotations

from uuid import UUID

from triggers.models import Trigger, TriggerType
from webhooks.models import WebhookEndpoint
from webhooks.services.endpoints import (
    EndpointFields,
    create_endpoint,
    update_endpoint,
)


def equip(trigger: Trigger, webhook: EndpointFields | None) -> str | None:
    """Give a webhook trigger an endpoint, or change its own; return a secret it set."""
    if trigger.trigger_type != TriggerType.WEBHOOK:
        return None
    if trigger.endpoint_id is None:
        made = create_endpoint(subject=trigger.subject, **(webhook or {}))
        trigger.endpoint = made.endpoint
        return made.secret
    if not webhook:
        return None
    return update_endpoint(endpoint_id=trigger.endpoint_id, **webhook).secret


def retire_endpoint(endpoint_id: UUID | None) -> None:
    """Close an endpoint that a trigger has left, unless it serves others."""
    if endpoint_id is None:
        return
    endpoint = WebhookEndpoint.objects.filter(pk=endpoint_id)
    _ = list(endpoint.select_for_update().values_list("pk"))
    if not Trigger.objects.present().filter(endpoint_id=endpoint_id).exists():
        endpoint.update(is_active=False)
