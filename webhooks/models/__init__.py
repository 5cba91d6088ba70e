from __future__ import annotations

from webhooks.models.delivery import Delivery, DeliveryManager, Outcome
from webhooks.models.endpoint import WebhookEndpoint, default_methods
from webhooks.models.errand import Errand, ErrandKind, ErrandStatus
from webhooks.models.rejection import Rejection, RejectionCount
from webhooks.models.webhook_type import WebhookType, WebhookTypeVersion

__all__ = [
    "Delivery",
    "DeliveryManager",
    "Errand",
    "ErrandKind",
    "ErrandStatus",
    "Outcome",
    "Rejection",
    "RejectionCount",
    "WebhookEndpoint",
    "WebhookType",
    "WebhookTypeVersion",
    "default_methods",
]
