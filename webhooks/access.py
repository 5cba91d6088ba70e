"""Who may do what with endpoints, their types, and what senders delivered."""

from __future__ import annotations

from uuid import UUID

from access.callers import Caller
from access.policy import (
    SHARED,
    Act,
    by_subject,
    crud,
    payload_act,
    register,
    visible,
)
from webhooks.models import (
    Delivery,
    Rejection,
    RejectionCount,
    WebhookEndpoint,
    WebhookType,
    WebhookTypeVersion,
)

FOREIGN_ENDPOINT = "This endpoint serves triggers of agents that you may not use"

DELIVERIES = crud("webhooks.delivery", "endpoints")
DELIVERY_PAYLOADS = payload_act("endpoints")
WEBHOOK_TYPES = crud("webhooks.webhooktype", "endpoints", is_global=True)
VIEW_TYPE = WEBHOOK_TYPES["retrieve"]
REDELIVER = Act("executions.change_triggerexecution", "endpoints:run")
TEST_ENDPOINTS = Act("webhooks.change_delivery", "endpoints:run")


def sees_endpoint(caller: Caller, endpoint_id: UUID) -> bool:
    endpoints = WebhookEndpoint.objects.filter(pk=endpoint_id)
    return visible(endpoints, caller).exists()


register(WebhookEndpoint, by_subject("subject"))
register(Delivery, by_subject("endpoint__subject"))
register(Rejection, by_subject("endpoint__subject"))
register(RejectionCount, by_subject("endpoint__subject"))
register(WebhookType, SHARED)
register(WebhookTypeVersion, SHARED)
